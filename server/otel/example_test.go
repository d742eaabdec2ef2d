//go:build !js

package otel_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/server/otel"
)

// A program would export the spans; this one prints them.
func ExampleNewObserver() {
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
	observer, err := otel.NewObserver(&otel.Options{TracerProvider: provider})
	if err != nil {
		fmt.Println(err)
		return
	}
	chat := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		_, span := provider.Tracer("chat").Start(ctx, "welcome")
		defer span.End()
		return nil
	}, &server.Options{Observer: observer})
	s := httptest.NewServer(chat)
	defer s.Close()

	ctx := context.Background()
	if conn, err := isosocket.Dial(ctx, s.URL, nil); err == nil {
		conn.Receive(ctx)
		conn.Close(errors.NormalClosure, "")
	}
	chat.Shutdown(ctx)
	for _, span := range spans.Ended() {
		fmt.Println(span.Name(), span.SpanContext().TraceID() == spans.Ended()[0].SpanContext().TraceID())
	}
	// Output:
	// GET true
	// welcome true
	// websocket connection true
}

// A program would export the metrics; this one prints two of them.
func ExampleRegisterMetrics() {
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	chat := server.Handler(func(ctx context.Context, conn *server.Conn) error { return nil }, nil)
	registration, err := otel.RegisterMetrics("chat", chat, &otel.Options{MeterProvider: provider})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer registration.Unregister()
	s := httptest.NewServer(chat)
	defer s.Close()

	ctx := context.Background()
	if conn, err := isosocket.Dial(ctx, s.URL, nil); err == nil {
		conn.Receive(ctx)
	}
	chat.Shutdown(ctx)
	var collected metricdata.ResourceMetrics
	reader.Collect(ctx, &collected)
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && (m.Name == "isosocket.handshakes" || m.Name == "isosocket.connections") {
			fmt.Println(m.Name, sum.DataPoints[0].Value)
		}
	}
	// Output:
	// isosocket.connections 0
	// isosocket.handshakes 1
}
