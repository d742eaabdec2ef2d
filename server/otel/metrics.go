//go:build !js

package otel

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/isosocket/isosocket/server"
)

// metrics are the instruments that report the counters of an Endpoint.
type metrics struct {
	endpoint *server.Endpoint
	name     attribute.KeyValue

	connections, full, queued, memory metric.Int64ObservableUpDownCounter
	handshakes, unanswered, probes    metric.Int64ObservableCounter
	closed, limits                    metric.Int64ObservableCounter
	messages, bytes, wire, pings      metric.Int64ObservableCounter
	pingTime                          metric.Float64ObservableCounter
}

// RegisterMetrics reports the counters of e, with name as the attribute isosocket.endpoint,
// which distinguishes the Endpoints of a program. It costs a call of
// [server.Endpoint.Stats] each time the metrics are collected. Unregister of the result
// stops that. The error is that of an invalid instrument of the MeterProvider, joined for
// all instruments.
//
// The Observer of [NewObserver] measures the durations of handshakes and connections.
func RegisterMetrics(name string, e *server.Endpoint, o *Options) (metric.Registration, error) {
	d := o.withDefaults()
	meter := d.meter()
	var errs []error
	gauge := func(name, unit, description string) metric.Int64ObservableUpDownCounter {
		i, err := meter.Int64ObservableUpDownCounter("isosocket."+name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return i
	}
	counter := func(name, unit, description string) metric.Int64ObservableCounter {
		i, err := meter.Int64ObservableCounter("isosocket."+name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return i
	}
	pingTime, err := meter.Float64ObservableCounter("isosocket.ping.time", metric.WithUnit("s"), metric.WithDescription("Sum of the round-trip times of pings."))
	m := &metrics{
		endpoint: e,
		name:     endpointKey.String(name),

		connections: gauge("connections", "{connection}", "Open WebSocket connections."),
		full:        gauge("connections.full", "{connection}", "Open connections whose Send waits, because the peer reads too slowly."),
		memory:      gauge("memory", "By", "Bytes that connections hold for their peers, as Limits.MaxMemory counts them."),
		queued:      gauge("queue.size", "By", "Bytes that wait in this process to be sent, and bytes of messages to be received by the program."),

		handshakes: counter("handshakes", "{handshake}", "Handshakes that were answered, by HTTP status; 101 is an accepted one."),
		unanswered: counter("handshakes.unanswered", "{handshake}", "Handshakes that ended without an answer."),
		probes:     counter("probes", "{request}", "Requests of browser clients for the reason of a failed handshake."),
		closed:     counter("connections.closed", "{connection}", "Connections that have ended, by close code and the side that chose it."),
		limits:     counter("limits.struck", "{event}", "How often each limit was reached."),

		messages: counter("messages", "{message}", "Messages, by direction."),
		bytes:    counter("message.io", "By", "Bytes of the data of messages, by direction."),
		wire:     counter("wire.io", "By", "Bytes of frames, with headers and after compression, before TLS, by direction."),
		pings:    counter("pings", "{ping}", "Pings that were answered."),
		pingTime: pingTime,
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("websocket: otel: %w", err)
	}
	registration, err := meter.RegisterCallback(m.observe, m.connections, m.full, m.queued, m.memory, m.handshakes, m.unanswered, m.probes,
		m.closed, m.limits, m.messages, m.bytes, m.wire, m.pings, m.pingTime)
	if err != nil {
		return nil, fmt.Errorf("websocket: otel: %w", err)
	}
	return registration, nil
}

// observe reports the Endpoint's Stats.
func (m *metrics) observe(_ context.Context, o metric.Observer) error {
	s := m.endpoint.Stats()
	observe := func(i metric.Int64Observable, v int64, attributes ...attribute.KeyValue) {
		o.ObserveInt64(i, v, metric.WithAttributes(append(attributes, m.name)...))
	}
	receive, transmit := semconv.NetworkIODirectionReceive, semconv.NetworkIODirectionTransmit

	observe(m.connections, int64(s.Open))
	observe(m.full, int64(s.Full))
	observe(m.queued, s.Unreceived, receive)
	observe(m.queued, s.Unsent, transmit)
	observe(m.memory, s.Memory)

	observe(m.handshakes, int64(s.Accepted), semconv.HTTPResponseStatusCode(101))
	for status, n := range s.Refused {
		observe(m.handshakes, int64(n), semconv.HTTPResponseStatusCode(status))
	}
	observe(m.unanswered, int64(s.Unanswered))
	observe(m.probes, int64(s.Probes))
	closed := make(map[closing]uint64)
	for c, n := range s.Closed {
		closed[closingOf(c)] += n
	}
	for c, n := range closed {
		observe(m.closed, int64(n), c.attributes()...)
	}
	for limit, n := range s.Limits {
		observe(m.limits, int64(n), limitKey.String(string(limit)))
	}

	observe(m.messages, int64(s.Received.Messages), receive)
	observe(m.messages, int64(s.Sent.Messages), transmit)
	observe(m.bytes, int64(s.Received.Bytes), receive)
	observe(m.bytes, int64(s.Sent.Bytes), transmit)
	observe(m.wire, int64(s.Received.WireBytes), receive)
	observe(m.wire, int64(s.Sent.WireBytes), transmit)
	observe(m.pings, int64(s.RoundTrips.Count))
	o.ObserveFloat64(m.pingTime, s.RoundTrips.Sum.Seconds(), metric.WithAttributes(m.name))
	return nil
}
