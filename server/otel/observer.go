//go:build !js

package otel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/isosocket/isosocket/server"
)

// Attributes outside the semantic conventions.
const (
	endpointKey  = attribute.Key("isosocket.endpoint")
	probeKey     = attribute.Key("isosocket.probe")
	closeCodeKey = attribute.Key("isosocket.close.code")
	closedByKey  = attribute.Key("isosocket.close.by")
	limitKey     = attribute.Key("isosocket.limit")

	receivedKey      = attribute.Key("isosocket.messages.received")
	sentKey          = attribute.Key("isosocket.messages.sent")
	receivedBytesKey = attribute.Key("isosocket.messages.received.size")
	sentBytesKey     = attribute.Key("isosocket.messages.sent.size")
)

// observer records spans and durations.
type observer struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	public     bool

	handshakes  metric.Float64Histogram
	connections metric.Float64Histogram
}

// NewObserver returns an Observer that creates a span for each handshake and each
// connection, and measures their durations. Many Endpoints may share it. The error is that
// of an invalid instrument of the MeterProvider, joined for all instruments.
func NewObserver(o *Options) (*server.Observer, error) {
	d := o.withDefaults()
	meter := d.meter()
	handshakes, err1 := meter.Float64Histogram("isosocket.handshake.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the request to the answer of handshakes."),
		metric.WithExplicitBucketBoundaries(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	connections, err2 := meter.Float64Histogram("isosocket.connection.duration", metric.WithUnit("s"),
		metric.WithDescription("How long connections lasted."),
		metric.WithExplicitBucketBoundaries(1, 10, 60, 300, 900, 3600, 4*3600, 12*3600, 86400, 7*86400))
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("websocket: otel: %w", err)
	}
	b := &observer{
		tracer:      d.tracer(),
		propagator:  d.Propagator,
		public:      d.Public,
		handshakes:  handshakes,
		connections: connections,
	}
	return &server.Observer{
		HandshakeStart:  b.handshakeStart,
		HandshakeEnd:    b.handshakeEnd,
		ConnectionStart: b.connectionStart,
		ConnectionEnd:   b.connectionEnd,
	}, nil
}

// handshakeStart begins the span of a handshake.
func (b *observer) handshakeStart(r *http.Request) context.Context {
	ctx := r.Context()
	if parent := trace.SpanContextFromContext(ctx); parent.IsValid() && !parent.IsRemote() {
		// A middleware has created the span of the request, with its attributes.
		ctx, _ = b.tracer.Start(ctx, "websocket handshake")
		return ctx
	}
	ctx = b.propagator.Extract(ctx, propagation.HeaderCarrier(r.Header))
	attributes, name := describe(r)
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attributes...)}
	if b.public {
		options = append(options, trace.WithNewRoot())
		if client := trace.SpanContextFromContext(ctx); client.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: client}))
		}
	}
	ctx, _ = b.tracer.Start(ctx, name, options...)
	return ctx
}

// handshakeEnd ends the span of a handshake.
func (b *observer) handshakeEnd(r *http.Request, result server.HandshakeResult) {
	span := trace.SpanFromContext(r.Context())
	var attributes []attribute.KeyValue
	if result.Status != 0 {
		attributes = append(attributes, semconv.HTTPResponseStatusCode(result.Status))
	}
	switch {
	case result.Status == 0:
		attributes = append(attributes, semconv.ErrorTypeKey.String("unanswered"))
		span.SetStatus(codes.Error, "")
	case result.Status >= 500:
		// By the conventions, a status below is not an error of the server.
		attributes = append(attributes, semconv.ErrorTypeKey.String(strconv.Itoa(result.Status)))
		span.SetStatus(codes.Error, "")
	}
	if result.Probe {
		attributes = append(attributes, probeKey.Bool(true))
	}
	span.SetAttributes(attributes...)
	if route := routeOf(r); route != "" {
		attributes = append(attributes, semconv.HTTPRoute(route))
	}
	b.handshakes.Record(r.Context(), result.Duration.Seconds(), metric.WithAttributes(attributes...))
	span.End()
}

// connectionStart begins the span of a connection, below that of its handshake.
func (b *observer) connectionStart(ctx context.Context, r *http.Request, _ *server.Conn) context.Context {
	// With Options.Detach ctx has no values of the request.
	ctx = trace.ContextWithSpan(ctx, trace.SpanFromContext(r.Context()))
	ctx = baggage.ContextWithBaggage(ctx, baggage.FromContext(r.Context()))
	ctx, _ = b.tracer.Start(ctx, "websocket connection")
	return ctx
}

// connectionEnd ends the span of a connection.
func (b *observer) connectionEnd(ctx context.Context, _ *server.Conn, result server.ConnectionResult) {
	span := trace.SpanFromContext(ctx)
	end := closingOf(server.Closing{Reason: result.Closed.Reason, ByPeer: result.Closed.Remote})
	span.SetAttributes(
		closeCodeKey.Int(int(result.Closed.Reason)),
		closedByKey.String(end.by),
		receivedKey.Int64(int64(result.Received.Messages)),
		sentKey.Int64(int64(result.Sent.Messages)),
		receivedBytesKey.Int64(int64(result.Received.Bytes)),
		sentBytesKey.Int64(int64(result.Sent.Bytes)),
	)
	attributes := end.attributes()
	// Applications choose the codes from 3000 for their own reasons.
	if result.Failure != nil || !result.Closed.Reason.Normal() && result.Closed.Reason < 3000 {
		span.SetStatus(codes.Error, result.Closed.Reason.String())
		span.SetAttributes(semconv.ErrorTypeKey.String(end.code))
		attributes = append(attributes, semconv.ErrorTypeKey.String(end.code))
	}
	if result.Failure != nil {
		span.RecordError(result.Failure)
	}
	b.connections.Record(ctx, result.Duration.Seconds(), metric.WithAttributes(attributes...))
	span.End()
}

// closing is a server.Closing in the form of metric attributes.
type closing struct{ code, by string }

// closingOf groups the codes that a peer may choose, because each is a time series.
func closingOf(c server.Closing) closing {
	end := closing{strconv.Itoa(int(c.Reason)), "server"}
	if c.ByPeer {
		end.by = "peer"
		if c.Reason >= 3000 {
			end.code = end.code[:1] + "xxx"
		}
	}
	return end
}

func (c closing) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{closeCodeKey.String(c.code), closedByKey.String(c.by)}
}

// describe returns the attributes and the name of the span of a handshake, by the semantic
// conventions for HTTP servers. There is no url.query: it may hold a ticket.
func describe(r *http.Request) (attributes []attribute.KeyValue, name string) {
	method := r.Method
	name = method
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH":
	default:
		method, name = "_OTHER", "HTTP"
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	attributes = []attribute.KeyValue{
		semconv.HTTPRequestMethodKey.String(method),
		semconv.URLScheme(scheme),
		semconv.URLPath(r.URL.Path),
		semconv.NetworkProtocolVersion(strings.TrimSuffix(strings.TrimPrefix(r.Proto, "HTTP/"), ".0")),
	}
	if route := routeOf(r); route != "" {
		name += " " + route
		attributes = append(attributes, semconv.HTTPRoute(route))
	}
	if host, port := splitAddress(r.Host); host != "" {
		attributes = append(attributes, semconv.ServerAddress(host))
		if port > 0 {
			attributes = append(attributes, semconv.ServerPort(port))
		}
	}
	if host, port := splitAddress(r.RemoteAddr); host != "" {
		attributes = append(attributes, semconv.NetworkPeerAddress(host), semconv.ClientAddress(host))
		if port > 0 {
			attributes = append(attributes, semconv.NetworkPeerPort(port))
		}
	}
	return attributes, name
}

// routeOf returns the path of the pattern that [http.ServeMux] has matched, "" for none.
func routeOf(r *http.Request) string {
	if i := strings.IndexByte(r.Pattern, '/'); i >= 0 {
		return r.Pattern[i:]
	}
	return ""
}

// splitAddress returns host and port of s, and port 0 if it has none.
func splitAddress(s string) (host string, port int) {
	host, digits, err := net.SplitHostPort(s)
	if err != nil {
		return strings.Trim(s, "[]"), 0
	}
	port, _ = strconv.Atoi(digits)
	return host, port
}
