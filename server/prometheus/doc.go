//go:build !js

// Package prometheus exports the counters of a [server.Endpoint] to Prometheus. It is a
// module of its own, so that programs without Prometheus do not depend on its client.
//
//	chat := server.Handler(serve, nil)
//	registry.MustRegister(prometheus.NewCollector("chat", chat))
//
// A [Collector] asks the Endpoint when Prometheus scrapes, and has no cost in between. All
// metrics have the label endpoint, the name given to [NewCollector]. A [HubCollector] does
// the same for a [hub.Hub]. docs/observability.md has a table of the metrics, and
// dashboard.json in this folder is a dashboard for Grafana that shows them.
package prometheus
