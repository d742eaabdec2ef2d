//go:build !js

// Package otel creates OpenTelemetry traces and metrics of the connections of a
// [server.Endpoint]. It is a module of its own, so that programs without OpenTelemetry do
// not depend on it.
//
//	observer, err := otel.NewObserver(nil)
//	...
//	chat := server.Handler(serve, &server.Options{Observer: observer})
//	_, err = otel.RegisterMetrics("chat", chat, nil)
//
// Each handshake is a span, by the semantic conventions for HTTP servers, and each
// connection is a span below it. The trace of the client's request, or of a middleware such
// as otelhttp, continues in both, and in the ctx of the Endpoint's function.
// [RegisterMetrics] exports the counters of [server.Endpoint.Stats]. docs/observability.md
// lists spans, attributes and metrics.
//
// No attribute has a query, a cookie or another header field, each of which may hold a
// secret. A failure of the function is recorded in the span of the connection with its text.
package otel
