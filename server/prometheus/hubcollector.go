//go:build !js

package prometheus

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/isosocket/isosocket/hub"
)

// HubCollector is a [prometheus.Collector] of the metrics of one Hub. Its methods may be called
// by many goroutines at the same time.
type HubCollector struct {
	hub     *hub.Hub
	metrics []hubMetric
}

// hubMetric is a metric with its value in the Hub's figures.
type hubMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*hub.Stats) float64
}

// NewHubCollector returns a HubCollector for h. name is the value of the label hub; it
// distinguishes the Hubs of a program, each of which needs a HubCollector.
func NewHubCollector(name string, h *hub.Hub) *HubCollector {
	c := &HubCollector{hub: h}
	add := func(kind prometheus.ValueType, metric, help string, value func(*hub.Stats) float64) {
		desc := prometheus.NewDesc("isosocket_hub_"+metric, help, nil, prometheus.Labels{"hub": name})
		c.metrics = append(c.metrics, hubMetric{desc, kind, value})
	}
	gauge := func(metric, help string, value func(*hub.Stats) float64) {
		add(prometheus.GaugeValue, metric, help, value)
	}
	counter := func(metric, help string, value func(*hub.Stats) uint64) {
		add(prometheus.CounterValue, metric, help, func(s *hub.Stats) float64 { return float64(value(s)) })
	}
	gauge("topics", "Topics that are used on this machine.", func(s *hub.Stats) float64 { return float64(s.Topics) })
	gauge("connections", "Connections that have joined a topic.", func(s *hub.Stats) float64 { return float64(s.Connections) })
	gauge("members", "Memberships of connections in topics.", func(s *hub.Stats) float64 { return float64(s.Members) })
	gauge("members_behind", "Members that catch up from history.", func(s *hub.Stats) float64 { return float64(s.Behind) })
	gauge("lag_seconds", "How long the first of the members that catch up has been behind.", func(s *hub.Stats) float64 { return s.Lag.Seconds() })
	counter("published_total", "Messages published on this machine.", func(s *hub.Stats) uint64 { return s.Published })
	counter("delivered_total", "Messages queued for members.", func(s *hub.Stats) uint64 { return s.Delivered })
	counter("recovered_total", "Delivered messages that came from history, or late.", func(s *hub.Stats) uint64 { return s.Recovered })
	counter("slow_total", "How often a member turned out to read too slowly.", func(s *hub.Stats) uint64 { return s.Slow })
	counter("caught_up_total", "How often a member was up to date again.", func(s *hub.Stats) uint64 { return s.CaughtUp })
	counter("gaps_total", "Gaps that were reported to members.", func(s *hub.Stats) uint64 { return s.Gaps })
	counter("disconnected_total", "Connections closed for a gap, or because they read too slowly.", func(s *hub.Stats) uint64 { return s.Disconnected })
	counter("engine_failures_total", "Calls of the engine that failed and were repeated.", func(s *hub.Stats) uint64 { return s.Failures })
	return c
}

// Describe implements [prometheus.Collector].
func (c *HubCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		descs <- m.desc
	}
}

// Collect implements [prometheus.Collector] with one call of [hub.Hub.Stats].
func (c *HubCollector) Collect(metrics chan<- prometheus.Metric) {
	s := c.hub.Stats()
	for _, m := range c.metrics {
		metrics <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&s))
	}
}
