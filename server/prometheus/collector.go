//go:build !js

package prometheus

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
)

// Collector is a [prometheus.Collector] of the metrics of one Endpoint. Its methods may be
// called by many goroutines at the same time.
type Collector struct {
	endpoint *server.Endpoint

	connections, fullConnections           *prometheus.Desc
	sendQueue, receiveQueue, memory        *prometheus.Desc
	handshakes, unanswered, probes         *prometheus.Desc
	closed, limits                         *prometheus.Desc
	received, sent                         *prometheus.Desc
	receivedBytes, sentBytes               *prometheus.Desc
	receivedWireBytes, sentWireBytes       *prometheus.Desc
	handshakeTimes, pings, connectionTimes *prometheus.Desc
}

// NewCollector returns a Collector for e. name is the value of the label endpoint; it
// distinguishes the Endpoints of a program, each of which needs a Collector.
func NewCollector(name string, e *server.Endpoint) *Collector {
	desc := func(metric, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("isosocket_"+metric, help, labels, prometheus.Labels{"endpoint": name})
	}
	return &Collector{
		endpoint: e,

		connections:     desc("connections", "Open WebSocket connections."),
		fullConnections: desc("full_connections", "Open connections whose Send waits, because the peer reads too slowly."),
		sendQueue:       desc("send_queue_bytes", "Bytes that wait in this process to be sent."),
		receiveQueue:    desc("receive_queue_bytes", "Bytes of messages that were read and wait to be received by the program."),
		memory:          desc("memory_bytes", "Bytes that connections hold for their peers, as Limits.MaxMemory counts them."),

		handshakes: desc("handshakes_total", "Handshakes that were answered, by HTTP status; 101 is an accepted one.", "status"),
		unanswered: desc("handshakes_unanswered_total", "Handshakes that ended without an answer."),
		probes:     desc("probes_total", "Requests of browser clients for the reason of a failed handshake."),
		closed: desc("connections_closed_total", "Connections that have ended, by close code and the side that chose it. "+
			"Codes from 3000 to 3999 and 4000 to 4999 that peers chose are 3xxx and 4xxx.", "code", "by"),
		limits: desc("limits_struck_total", "How often each limit was reached.", "limit"),

		received:          desc("messages_received_total", "Messages received."),
		sent:              desc("messages_sent_total", "Messages sent."),
		receivedBytes:     desc("received_bytes_total", "Bytes of the data of received messages."),
		sentBytes:         desc("sent_bytes_total", "Bytes of the data of sent messages."),
		receivedWireBytes: desc("wire_received_bytes_total", "Bytes of received frames, with headers and after compression, before TLS."),
		sentWireBytes:     desc("wire_sent_bytes_total", "Bytes of sent frames, with headers and after compression, before TLS."),

		handshakeTimes:  desc("handshake_duration_seconds", "Time from the request to the answer of accepted handshakes."),
		pings:           desc("ping_duration_seconds", "Round-trip time of pings."),
		connectionTimes: desc("connection_duration_seconds", "How long the connections lasted that have ended."),
	}
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.connections, c.fullConnections, c.sendQueue, c.receiveQueue, c.memory, c.handshakes, c.unanswered, c.probes, c.closed, c.limits,
		c.received, c.sent, c.receivedBytes, c.sentBytes, c.receivedWireBytes, c.sentWireBytes, c.handshakeTimes, c.pings, c.connectionTimes,
	} {
		descs <- d
	}
}

// Collect implements [prometheus.Collector] with one call of [server.Endpoint.Stats].
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	s := c.endpoint.Stats()
	gauge := func(d *prometheus.Desc, v float64) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(c.connections, float64(s.Open))
	gauge(c.fullConnections, float64(s.Full))
	gauge(c.sendQueue, float64(s.Unsent))
	gauge(c.receiveQueue, float64(s.Unreceived))
	gauge(c.memory, float64(s.Memory))

	counter(c.handshakes, s.Accepted, "101")
	for status, n := range s.Refused {
		counter(c.handshakes, n, strconv.Itoa(status))
	}
	counter(c.unanswered, s.Unanswered)
	counter(c.probes, s.Probes)
	closed := make(map[[2]string]uint64)
	for closing, n := range s.Closed {
		closed[labelsOf(closing)] += n
	}
	for labels, n := range closed {
		counter(c.closed, n, labels[:]...)
	}
	for limit, n := range s.Limits {
		counter(c.limits, n, string(limit))
	}

	counter(c.received, s.Received.Messages)
	counter(c.sent, s.Sent.Messages)
	counter(c.receivedBytes, s.Received.Bytes)
	counter(c.sentBytes, s.Sent.Bytes)
	counter(c.receivedWireBytes, s.Received.WireBytes)
	counter(c.sentWireBytes, s.Sent.WireBytes)

	histogram(metrics, c.handshakeTimes, s.HandshakeTimes)
	histogram(metrics, c.pings, s.RoundTrips)
	histogram(metrics, c.connectionTimes, s.ConnectionTimes)
}

// labelsOf returns the close code and the side of an end. A peer may choose any code
// from 3000, and each pair of labels is a time series that Prometheus keeps.
func labelsOf(closing server.Closing) [2]string {
	switch code := closing.Reason; {
	case !closing.ByPeer:
		return [2]string{number(code), "server"}
	case code >= 4000:
		return [2]string{"4xxx", "peer"}
	case code >= 3000:
		return [2]string{"3xxx", "peer"}
	default:
		return [2]string{number(code), "peer"}
	}
}

func number(code errors.CloseReason) string { return strconv.Itoa(int(code)) }

func histogram(metrics chan<- prometheus.Metric, d *prometheus.Desc, h server.Histogram) {
	buckets := make(map[float64]uint64, len(h.Buckets))
	for _, b := range h.Buckets {
		buckets[b.UpperBound.Seconds()] = b.Count
	}
	metrics <- prometheus.MustNewConstHistogram(d, h.Count, h.Sum.Seconds(), buckets)
}

var _ prometheus.Collector = (*Collector)(nil)
