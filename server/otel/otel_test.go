//go:build !js

package otel_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	traceapi "go.opentelemetry.io/otel/trace"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/server/otel"
	"github.com/isosocket/isosocket/ws"
)

const (
	clientTrace = "0af7651916cd43dd8448eb211c80319c"
	clientSpan  = "b7ad6b7169203331"
)

// traced is an endpoint whose spans and metrics are recorded.
type traced struct {
	*server.Endpoint
	s        *httptest.Server
	provider *trace.TracerProvider
	spans    *tracetest.SpanRecorder
	reader   *metric.ManualReader
}

// start serves at /chat; around, if not nil, is a middleware.
func start(t *testing.T, serve func(context.Context, *server.Conn) error, o server.Options, public bool, around func(*traced, http.Handler) http.Handler) *traced {
	t.Helper()
	e := &traced{spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader()}
	e.provider = trace.NewTracerProvider(trace.WithSpanProcessor(e.spans))
	options := &otel.Options{
		TracerProvider: e.provider,
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(e.reader)),
		Propagator:     propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
		Public:         public,
	}
	observer, err := otel.NewObserver(options)
	if err != nil {
		t.Fatal(err)
	}
	o.Observer = observer
	e.Endpoint = server.Handler(serve, &o)
	if _, err := otel.RegisterMetrics("chat", e.Endpoint, options); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/chat", e.Endpoint)
	var h http.Handler = mux
	if around != nil {
		h = around(e, mux)
	}
	e.s = httptest.NewUnstartedServer(h)
	e.s.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.s.Start()
	t.Cleanup(e.s.Close)
	return e
}

// stop waits until all spans have ended, and returns those with a name.
func (e *traced) stop(t *testing.T, name string) []trace.ReadOnlySpan {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	e.s.Close()
	if started, ended := len(e.spans.Started()), len(e.spans.Ended()); started != ended {
		t.Errorf("%d spans were started, and %d ended", started, ended)
	}
	return slices.DeleteFunc(e.spans.Ended(), func(s trace.ReadOnlySpan) bool { return s.Name() != name })
}

func attributes(span trace.ReadOnlySpan) map[string]string {
	m := map[string]string{}
	for _, a := range span.Attributes() {
		m[string(a.Key)] = a.Value.String()
	}
	return m
}

// assert compares some of the attributes; "" wants none.
func assertAttributes(t *testing.T, span trace.ReadOnlySpan, want map[string]string) {
	t.Helper()
	got := attributes(span)
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s: the attribute %s is %q, want %q", span.Name(), key, got[key], value)
		}
	}
}

func echo(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// header returns the header of a client with a trace.
func header() http.Header {
	return http.Header{"Traceparent": {"00-" + clientTrace + "-" + clientSpan + "-01"}, "Baggage": {"user=alice"}}
}

// TestTraceGoesOn: the client's trace continues in the handshake, the connection and the
// function, also with Detach and below a middleware, but not if clients are not trusted.
func TestTraceGoesOn(t *testing.T) {
	t.Parallel()
	middleware := func(e *traced, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
			ctx, span := e.provider.Tracer("middleware").Start(ctx, "request", traceapi.WithSpanKind(traceapi.SpanKindServer))
			defer span.End()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	for _, test := range []struct {
		name      string
		detach    bool
		public    bool
		around    func(*traced, http.Handler) http.Handler
		handshake string // the name of its span
		kind      traceapi.SpanKind
	}{
		{name: "by default", handshake: "GET /chat", kind: traceapi.SpanKindServer},
		{name: "detached", detach: true, handshake: "GET /chat", kind: traceapi.SpanKindServer},
		{name: "public", public: true, handshake: "GET /chat", kind: traceapi.SpanKindServer},
		{name: "below a middleware", around: middleware, handshake: "websocket handshake", kind: traceapi.SpanKindInternal},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			type seen struct {
				span traceapi.SpanContext
				user string
			}
			inFunction, inAuthorize := make(chan seen, 1), make(chan seen, 1)
			look := func(ctx context.Context) seen {
				return seen{traceapi.SpanContextFromContext(ctx), baggage.FromContext(ctx).Member("user").Value()}
			}
			e := start(t, func(ctx context.Context, conn *server.Conn) error {
				inFunction <- look(ctx)
				return echo(ctx, conn)
			}, server.Options{
				Detach:    test.detach,
				Authorize: func(r *http.Request) (any, error) { inAuthorize <- look(r.Context()); return nil, nil },
			}, test.public, test.around)
			conn, err := isosocket.Dial(timeout(t), e.s.URL+"/chat?ticket=secret", &isosocket.DialOptions{Header: header()})
			if err != nil {
				t.Fatal(err)
			}
			conn.Send(timeout(t), ws.Text("hello"))
			conn.Receive(timeout(t))
			conn.Close(4001, "secret")
			function, authorize := <-inFunction, <-inAuthorize
			handshakes, connections := e.stop(t, test.handshake), slices.DeleteFunc(e.spans.Ended(), func(s trace.ReadOnlySpan) bool { return s.Name() != "websocket connection" })
			if len(handshakes) != 1 || len(connections) != 1 {
				t.Fatalf("the spans are %v", e.spans.Ended())
			}
			handshake, connection := handshakes[0], connections[0]
			if handshake.SpanKind() != test.kind || connection.SpanKind() != traceapi.SpanKindInternal {
				t.Errorf("the kinds are %v and %v", handshake.SpanKind(), connection.SpanKind())
			}
			if goesOn := handshake.SpanContext().TraceID().String() == clientTrace; goesOn == test.public {
				t.Errorf("the trace is %v, and that of the client %v", handshake.SpanContext().TraceID(), clientTrace)
			}
			if test.public && (len(handshake.Links()) != 1 || handshake.Links()[0].SpanContext.SpanID().String() != clientSpan || handshake.Parent().IsValid()) {
				t.Errorf("the links are %v, and the parent is %v", handshake.Links(), handshake.Parent())
			}
			if test.around == nil && !test.public && handshake.Parent().SpanID().String() != clientSpan {
				t.Errorf("the parent of the handshake is %v", handshake.Parent())
			}
			if connection.Parent().SpanID() != handshake.SpanContext().SpanID() || connection.SpanContext().TraceID() != handshake.SpanContext().TraceID() {
				t.Errorf("the parent of the connection is %v, want %v", connection.Parent(), handshake.SpanContext())
			}
			if authorize.span.SpanID() != handshake.SpanContext().SpanID() || function.span.SpanID() != connection.SpanContext().SpanID() {
				t.Errorf("Authorize sees %v, and the function %v", authorize.span, function.span)
			}
			if test.around == nil && (authorize.user != "alice" || function.user != "alice") {
				t.Errorf("Authorize sees the user %q, and the function %q", authorize.user, function.user)
			}
			if !connection.EndTime().After(handshake.EndTime()) {
				t.Errorf("the connection ended at %v, the handshake at %v", connection.EndTime(), handshake.EndTime())
			}
			assertAttributes(t, handshake, map[string]string{"http.response.status_code": "101", "error.type": ""})
			if test.around == nil {
				host, port, _ := strings.Cut(e.s.Listener.Addr().String(), ":")
				assertAttributes(t, handshake, map[string]string{
					"http.request.method": "GET", "http.route": "/chat", "url.path": "/chat", "url.scheme": "http", "url.query": "",
					"network.protocol.version": "1.1", "server.address": host, "server.port": port, "client.address": "127.0.0.1",
				})
			}
			assertAttributes(t, connection, map[string]string{
				"isosocket.close.code": "4001", "isosocket.close.by": "peer", "error.type": "", "isosocket.messages.received": "1",
				"isosocket.messages.sent": "1", "isosocket.messages.received.size": "5", "isosocket.messages.sent.size": "5",
			})
			if connection.Status().Code != codes.Unset || handshake.Status().Code != codes.Unset {
				t.Errorf("the states are %v and %v", handshake.Status(), connection.Status())
			}
			assertNoSecret(t, e)
		})
	}
}

// assertNoSecret looks for "secret" in all spans and metrics.
func assertNoSecret(t *testing.T, e *traced) {
	t.Helper()
	for _, span := range e.spans.Ended() {
		if text := fmt.Sprint(span.Name(), span.Attributes(), span.Events(), span.Status(), span.Links()); strings.Contains(text, "secret") {
			t.Errorf("a span has a secret: %s", text)
		}
	}
	if text := fmt.Sprint(collect(t, e)); strings.Contains(text, "secret") {
		t.Errorf("a metric has a secret: %s", text)
	}
}

func TestRefusedHandshakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		path   string
		method string
		header http.Header
		span   string
		want   map[string]string
		state  codes.Code
	}{
		{"not authorized", "/chat", "GET", nil, "GET /chat", map[string]string{"http.response.status_code": "401", "error.type": ""}, codes.Unset},
		{"a failure", "/chat?fail", "GET", nil, "GET /chat", map[string]string{"http.response.status_code": "503", "error.type": "503"}, codes.Error},
		{"a panic", "/chat?panic", "GET", nil, "GET /chat", map[string]string{"http.response.status_code": "", "error.type": "unanswered"}, codes.Error},
		{"a method", "/chat", "BREW", nil, "HTTP /chat", map[string]string{"http.response.status_code": "405", "http.request.method": "_OTHER"}, codes.Unset},
		{"a probe", "/chat", "GET", http.Header{"Accept": {"application/vnd.isosocket.handshake"}, "Upgrade": {}}, "GET /chat",
			map[string]string{"http.response.status_code": "401", "isosocket.probe": "true"}, codes.Unset},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, echo, server.Options{Authorize: func(r *http.Request) (any, error) {
				switch query := r.URL.Query(); {
				case query.Has("panic"):
					panic(http.ErrAbortHandler)
				case query.Has("fail"):
					return nil, &errors.ConnectionError{StatusCode: 503, Err: errors.New("secret")}
				}
				return nil, &errors.ConnectionError{StatusCode: 401}
			}}, false, nil)
			r, _ := http.NewRequestWithContext(timeout(t), test.method, e.s.URL+test.path, nil)
			r.Header = http.Header{
				"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
				"Cookie": {"session=secret"}, "Authorization": {"Bearer secret"},
			}
			for name, values := range test.header {
				r.Header[name] = values
			}
			if answer, err := e.s.Client().Do(r); err == nil {
				answer.Body.Close()
			}
			spans := e.stop(t, test.span)
			if len(spans) != 1 || len(e.spans.Ended()) != 1 {
				t.Fatalf("the spans are %v", e.spans.Ended())
			}
			assertAttributes(t, spans[0], test.want)
			if got := spans[0].Status().Code; got != test.state {
				t.Errorf("the state is %v, want %v", got, test.state)
			}
			assertNoSecret(t, e)
		})
	}
}

func TestConnectionsThatFail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		serve  func(context.Context, *server.Conn) error
		want   map[string]string
		events int
	}{
		{"an error", func(context.Context, *server.Conn) error { return io.ErrNoProgress },
			map[string]string{"isosocket.close.code": "1011", "isosocket.close.by": "server", "error.type": "1011"}, 1},
		{"a panic", func(context.Context, *server.Conn) error { panic(http.ErrAbortHandler) },
			map[string]string{"isosocket.close.code": "1011", "isosocket.close.by": "server", "error.type": "1011"}, 1},
		{"a protocol error", func(_ context.Context, conn *server.Conn) error {
			return conn.CloseNow(errors.PolicyViolation, "")
		}, map[string]string{"isosocket.close.code": "1008", "error.type": "1008"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := start(t, test.serve, server.Options{}, false, nil)
			conn, err := isosocket.Dial(timeout(t), e.s.URL+"/chat", nil)
			if err != nil {
				t.Fatal(err)
			}
			conn.Receive(timeout(t))
			conn.Close(errors.NormalClosure, "")
			spans := e.stop(t, "websocket connection")
			if len(spans) != 1 {
				t.Fatalf("the spans are %v", e.spans.Ended())
			}
			assertAttributes(t, spans[0], test.want)
			if spans[0].Status().Code != codes.Error || len(spans[0].Events()) != test.events {
				t.Errorf("the state is %v, and the events are %v", spans[0].Status(), spans[0].Events())
			}
		})
	}
}

// collect returns the values of all metrics: sums, and for histograms how many were
// measured.
func collect(t *testing.T, e *traced) map[string]float64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := e.reader.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	add := func(name string, set attribute.Set, v float64) {
		var parts []string
		for _, a := range set.ToSlice() {
			if a.Key != "isosocket.endpoint" {
				parts = append(parts, string(a.Key)+"="+a.Value.String())
			}
		}
		values[name+"{"+strings.Join(parts, ",")+"}"] = v
	}
	for _, scope := range collected.ScopeMetrics {
		if scope.Scope.Name != otel.Scope {
			t.Errorf("the scope is %q", scope.Scope.Name)
		}
		for _, m := range scope.Metrics {
			if m.Unit == "" || m.Description == "" {
				t.Errorf("%s has the unit %q and the description %q", m.Name, m.Unit, m.Description)
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Sum[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, float64(p.Count))
				}
			default:
				t.Errorf("%s is a %T", m.Name, data)
			}
		}
	}
	return values
}

// load produces one event of each kind.
func load(t *testing.T) *traced {
	e := start(t, echo, server.Options{MaxMessageSize: 100, PingInterval: 10 * time.Millisecond}, false, nil)
	for _, reason := range []errors.CloseReason{1000, 4001, 4002} {
		conn, err := isosocket.Dial(timeout(t), e.s.URL+"/chat", nil)
		if err != nil {
			t.Fatal(err)
		}
		conn.Send(timeout(t), ws.Text("hello"))
		conn.Receive(timeout(t))
		for end := timeout(t); e.Stats().RoundTrips.Count == 0 && end.Err() == nil; {
			conn.TryReceive()
			time.Sleep(time.Millisecond)
		}
		if reason == 4002 {
			conn.Send(timeout(t), ws.Text(strings.Repeat("x", 101)))
			conn.Receive(timeout(t))
		}
		conn.Close(reason, "")
	}
	answer, err := e.s.Client().Get(e.s.URL + "/chat")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	e.stop(t, "")
	return e
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	got := collect(t, load(t))
	for key, want := range map[string]float64{
		"isosocket.connections{}":                                                                            0,
		"isosocket.memory{}":                                                                                 0,
		"isosocket.connections.full{}":                                                                       0,
		"isosocket.queue.size{network.io.direction=receive}":                                                 0,
		"isosocket.queue.size{network.io.direction=transmit}":                                                0,
		"isosocket.handshakes{http.response.status_code=101}":                                                3,
		"isosocket.handshakes{http.response.status_code=426}":                                                1,
		"isosocket.handshakes.unanswered{}":                                                                  0,
		"isosocket.probes{}":                                                                                 0,
		"isosocket.connections.closed{isosocket.close.by=peer,isosocket.close.code=1000}":                    1,
		"isosocket.connections.closed{isosocket.close.by=peer,isosocket.close.code=4xxx}":                    1,
		"isosocket.connections.closed{isosocket.close.by=server,isosocket.close.code=1009}":                  1,
		"isosocket.limits.struck{isosocket.limit=message_size}":                                              1,
		"isosocket.messages{network.io.direction=receive}":                                                   3,
		"isosocket.messages{network.io.direction=transmit}":                                                  3,
		"isosocket.message.io{network.io.direction=receive}":                                                 15,
		"isosocket.message.io{network.io.direction=transmit}":                                                15,
		"isosocket.handshake.duration{http.response.status_code=101,http.route=/chat}":                       3,
		"isosocket.handshake.duration{http.response.status_code=426,http.route=/chat}":                       1,
		"isosocket.connection.duration{isosocket.close.by=peer,isosocket.close.code=1000}":                   1,
		"isosocket.connection.duration{isosocket.close.by=peer,isosocket.close.code=4xxx}":                   1,
		"isosocket.connection.duration{error.type=1009,isosocket.close.by=server,isosocket.close.code=1009}": 1,
	} {
		if v, ok := got[key]; !ok || v != want {
			t.Errorf("%s = %v, %v, want %v", key, v, ok, want)
		}
		delete(got, key)
	}
	for _, key := range []string{"isosocket.wire.io{network.io.direction=receive}", "isosocket.wire.io{network.io.direction=transmit}", "isosocket.pings{}", "isosocket.ping.time{}"} {
		if got[key] <= 0 {
			t.Errorf("%s = %v", key, got[key])
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("there are also %v", got)
	}
}

// TestPageListsTheMetrics: docs/observability.md has each metric and each attribute.
func TestPageListsTheMetrics(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	e := load(t)
	want := map[string]bool{}
	for key := range collect(t, e) {
		name, rest, _ := strings.Cut(key, "{")
		want[name] = true
		for part := range strings.SplitSeq(strings.TrimSuffix(rest, "}"), ",") {
			if key, _, ok := strings.Cut(part, "="); ok {
				want[key] = true
			}
		}
	}
	for _, span := range e.spans.Ended() {
		for _, a := range span.Attributes() {
			want[string(a.Key)] = true
		}
	}
	for name := range want {
		if !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("the page lacks %s", name)
		}
	}
}

// TestDefaults: without options, and with the global providers, nothing is recorded and
// everything works.
func TestDefaults(t *testing.T) {
	t.Parallel()
	observer, err := otel.NewObserver(nil)
	if err != nil {
		t.Fatal(err)
	}
	e := server.Handler(echo, &server.Options{Observer: observer})
	registration, err := otel.RegisterMetrics("chat", e, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(e)
	defer s.Close()
	conn, err := isosocket.Dial(timeout(t), s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Send(timeout(t), ws.Text("hello"))
	if m, err := conn.Receive(timeout(t)); err != nil || m.String() != "hello" {
		t.Errorf("Receive = %v, %v", m, err)
	}
	conn.Close(errors.NormalClosure, "")
	if err := e.Shutdown(timeout(t)); err != nil {
		t.Error(err)
	}
	if err := registration.Unregister(); err != nil {
		t.Error(err)
	}
}
