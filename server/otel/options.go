//go:build !js

package otel

import (
	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Scope is the name of the tracer and of the meter.
const Scope = "github.com/isosocket/isosocket/server/otel"

// Options configure [NewObserver] and [RegisterMetrics]. A nil pointer and the zero value
// select the defaults.
type Options struct {
	// TracerProvider creates the tracer. nil means the global one of OpenTelemetry.
	TracerProvider trace.TracerProvider

	// MeterProvider creates the meter. nil means the global one of OpenTelemetry.
	MeterProvider metric.MeterProvider

	// Propagator finds the client's trace in the header of a handshake. nil means the
	// global one of OpenTelemetry, which finds none until the program sets one.
	Propagator propagation.TextMapPropagator

	// Public means that clients are not trusted: a handshake then begins a trace of its
	// own, with a link to the client's. By default it continues the client's trace, with
	// the client's sampling decision.
	Public bool
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.TracerProvider == nil {
		d.TracerProvider = otelapi.GetTracerProvider()
	}
	if d.MeterProvider == nil {
		d.MeterProvider = otelapi.GetMeterProvider()
	}
	if d.Propagator == nil {
		d.Propagator = otelapi.GetTextMapPropagator()
	}
	return d
}

func (o *Options) tracer() trace.Tracer {
	return o.TracerProvider.Tracer(Scope, trace.WithSchemaURL(semconv.SchemaURL))
}

func (o *Options) meter() metric.Meter {
	return o.MeterProvider.Meter(Scope, metric.WithSchemaURL(semconv.SchemaURL))
}
