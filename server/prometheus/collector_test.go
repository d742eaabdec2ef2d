//go:build !js

package prometheus_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/server/prometheus"
	"github.com/isosocket/isosocket/ws"
)

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

// loaded returns the registry of an endpoint that has seen one event of each kind.
func loaded(t *testing.T) *client.Registry {
	t.Helper()
	e := server.Handler(echo, &server.Options{
		MaxMessageSize: 100,
		PingInterval:   10 * time.Millisecond,
		Authorize: func(r *http.Request) (any, error) {
			if r.URL.Path == "/stranger" {
				return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized}
			}
			return nil, nil
		},
	})
	s := httptest.NewUnstartedServer(e)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dial := func() *ws.Conn {
		conn, err := isosocket.Dial(ctx, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for _, reason := range []errors.CloseReason{1000, 3500, 4000, 4001} {
		conn := dial()
		conn.Send(ctx, ws.Text("hello"))
		if _, err := conn.Receive(ctx); err != nil {
			t.Fatal(err)
		}
		conn.Close(reason, "")
	}
	big := dial()
	big.Send(ctx, ws.Text(strings.Repeat("x", 101)))
	big.Receive(ctx)
	big.Close(errors.NormalClosure, "")
	pinged := dial()
	for e.Stats().RoundTrips.Count == 0 && ctx.Err() == nil {
		pinged.TryReceive() // so that it reads, and so answers
		time.Sleep(time.Millisecond)
	}
	pinged.Close(errors.NormalClosure, "")
	if _, err := isosocket.Dial(ctx, s.URL+"/stranger", nil); err == nil {
		t.Error("a request that must be refused was accepted")
	}
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	registry := client.NewPedanticRegistry()
	registry.MustRegister(prometheus.NewCollector("chat", e))
	registry.MustRegister(prometheus.NewHubCollector("topics", loadedHub(t)))
	return registry
}

// loadedHub returns a Hub with one member, which got two messages.
func loadedHub(t *testing.T) *hub.Hub {
	t.Helper()
	h, err := hub.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close(context.Background()) })
	a, b := ws.Pipe(nil, nil)
	t.Cleanup(func() { a.Close(errors.NormalClosure, "") })
	if _, err := h.Join(t.Context(), "lobby", a, nil); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if _, err := h.Publish(t.Context(), "lobby", ws.Text(text), nil); err != nil {
			t.Fatal(err)
		}
		if m, err := b.Receive(t.Context()); err != nil || m.String() != text {
			t.Fatalf("received %q, %v", m, err)
		}
	}
	return h
}

func TestCollector(t *testing.T) {
	t.Parallel()
	registry := loaded(t)
	want := `
# HELP isosocket_connections Open WebSocket connections.
# TYPE isosocket_connections gauge
isosocket_connections{endpoint="chat"} 0
# HELP isosocket_connections_closed_total Connections that have ended, by close code and the side that chose it. Codes from 3000 to 3999 and 4000 to 4999 that peers chose are 3xxx and 4xxx.
# TYPE isosocket_connections_closed_total counter
isosocket_connections_closed_total{by="peer",code="1000",endpoint="chat"} 2
isosocket_connections_closed_total{by="peer",code="3xxx",endpoint="chat"} 1
isosocket_connections_closed_total{by="peer",code="4xxx",endpoint="chat"} 2
isosocket_connections_closed_total{by="server",code="1009",endpoint="chat"} 1
# HELP isosocket_handshakes_total Handshakes that were answered, by HTTP status; 101 is an accepted one.
# TYPE isosocket_handshakes_total counter
isosocket_handshakes_total{endpoint="chat",status="101"} 6
isosocket_handshakes_total{endpoint="chat",status="401"} 1
# HELP isosocket_limits_struck_total How often each limit was reached.
# TYPE isosocket_limits_struck_total counter
isosocket_limits_struck_total{endpoint="chat",limit="message_size"} 1
# HELP isosocket_messages_received_total Messages received.
# TYPE isosocket_messages_received_total counter
isosocket_messages_received_total{endpoint="chat"} 4
# HELP isosocket_sent_bytes_total Bytes of the data of sent messages.
# TYPE isosocket_sent_bytes_total counter
isosocket_sent_bytes_total{endpoint="chat"} 20
# HELP isosocket_hub_delivered_total Messages queued for members.
# TYPE isosocket_hub_delivered_total counter
isosocket_hub_delivered_total{hub="topics"} 2
# HELP isosocket_hub_members Memberships of connections in topics.
# TYPE isosocket_hub_members gauge
isosocket_hub_members{hub="topics"} 1
# HELP isosocket_hub_published_total Messages published on this machine.
# TYPE isosocket_hub_published_total counter
isosocket_hub_published_total{hub="topics"} 2
# HELP isosocket_hub_topics Topics that are used on this machine.
# TYPE isosocket_hub_topics gauge
isosocket_hub_topics{hub="topics"} 1
`
	err := testutil.GatherAndCompare(registry, strings.NewReader(want), "isosocket_connections", "isosocket_connections_closed_total",
		"isosocket_handshakes_total", "isosocket_limits_struck_total", "isosocket_messages_received_total", "isosocket_sent_bytes_total",
		"isosocket_hub_delivered_total", "isosocket_hub_members", "isosocket_hub_published_total", "isosocket_hub_topics")
	if err != nil {
		t.Error(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 32 {
		t.Errorf("there are %d metrics, want 32", len(families))
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if h := m.GetHistogram(); h != nil && (h.GetSampleCount() == 0 || h.GetSampleSum() <= 0 || len(h.GetBucket()) < 10) {
				t.Errorf("%s is %v", family.GetName(), h)
			}
		}
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestCollectorsOfTwoEndpoints: a pedantic registry accepts both and exports them as OpenMetrics.
func TestCollectorsOfTwoEndpoints(t *testing.T) {
	t.Parallel()
	registry := client.NewPedanticRegistry()
	for _, name := range []string{"chat", "game"} {
		if err := registry.Register(prometheus.NewCollector(name, server.Handler(echo, nil))); err != nil {
			t.Error(err)
		}
	}
	if err := registry.Register(prometheus.NewCollector("chat", server.Handler(echo, nil))); err == nil {
		t.Error("a second collector of the same name was registered")
	}
	s := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	defer s.Close()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL, nil)
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	answer, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != 200 || !strings.Contains(string(text), `isosocket_connections{endpoint="game"} 0`) || !strings.HasSuffix(string(text), "# EOF\n") {
		t.Errorf("%d: %s", answer.StatusCode, text)
	}
}

// TestDashboard: each query of the dashboard asks for metrics that the Collector exports,
// with labels that they have.
func TestDashboard(t *testing.T) {
	t.Parallel()
	families, err := loaded(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string][]string{} // by the name of a time series
	for _, family := range families {
		names := []string{"instance"} // which Prometheus adds
		for _, pair := range family.GetMetric()[0].GetLabel() {
			names = append(names, pair.GetName())
		}
		if family.GetMetric()[0].GetHistogram() == nil {
			labels[family.GetName()] = names
			continue
		}
		labels[family.GetName()+"_bucket"] = append(names, "le")
		labels[family.GetName()+"_sum"], labels[family.GetName()+"_count"] = names, names
	}

	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Templating struct {
			List []struct {
				Name       string
				Definition string
			}
		}
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := []string{"__rate_interval"}
	type query struct{ where, expr, legend string }
	var queries []query
	for _, v := range dashboard.Templating.List {
		variables = append(variables, v.Name)
		if v.Definition != "" {
			queries = append(queries, query{"variable " + v.Name, v.Definition, ""})
		}
	}
	ids := map[int]bool{}
	for i, p := range dashboard.Panels {
		if ids[p.ID] || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q has the id %d, %d queries, and lies at %v", p.Title, p.ID, len(p.Targets), p.GridPos)
		}
		ids[p.ID] = true
		for _, o := range dashboard.Panels[:i] {
			a, b := o.GridPos, p.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q overlap", o.Title, p.Title)
			}
		}
		for _, q := range p.Targets {
			queries = append(queries, query{"panel " + p.Title, q.Expr, q.LegendFormat})
		}
	}
	shown := map[string]bool{}
	metric := regexp.MustCompile(`isosocket_[a-z_]+`)
	selector := regexp.MustCompile(`(isosocket_[a-z_]+)(?:\{([^}]*)\})?`)
	by := regexp.MustCompile(`by \(([^)]*)\)`)
	for _, q := range queries {
		var all []string
		for _, m := range selector.FindAllStringSubmatch(q.expr, -1) {
			name := m[1]
			known, ok := labels[name]
			if !ok {
				t.Errorf("%s asks for %s, which is not exported", q.where, name)
				continue
			}
			shown[name] = true
			all = append(all, known...)
			for _, l := range regexp.MustCompile(`([a-z]+)=~?"`).FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(known, l[1]) {
					t.Errorf("%s selects by the label %s, which %s lacks", q.where, l[1], name)
				}
			}
		}
		var grouped []string
		for _, m := range by.FindAllStringSubmatch(q.expr, -1) {
			for _, l := range strings.Split(m[1], ", ") {
				grouped = append(grouped, l)
				if !slices.Contains(all, l) {
					t.Errorf("%s groups by the label %s, which is not exported", q.where, l)
				}
			}
		}
		for _, m := range regexp.MustCompile(`\{\{([a-z]+)\}\}`).FindAllStringSubmatch(q.legend, -1) {
			if !slices.Contains(grouped, m[1]) {
				t.Errorf("the legend of %s names the label %s, by which it does not group", q.where, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`\$(?:\{)?([a-z_]+)`).FindAllStringSubmatch(q.expr, -1) {
			if !slices.Contains(variables, m[1]) {
				t.Errorf("%s uses the variable %s, which the dashboard lacks", q.where, m[1])
			}
		}
		if !metric.MatchString(q.expr) {
			t.Errorf("%s queries no metric of this library: %s", q.where, q.expr)
		}
	}
	for name := range labels {
		if !shown[name] && !strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count") {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

// TestPageListsTheMetrics: docs/observability.md has each metric, with its type and labels.
func TestPageListsTheMetrics(t *testing.T) {
	t.Parallel()
	families, err := loaded(t).Gather()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `isosocket_") {
			rows++
		}
	}
	if rows != len(families) {
		t.Errorf("the page lists %d metrics, of %d", rows, len(families))
	}
	for _, family := range families {
		var names []string
		for _, pair := range family.GetMetric()[0].GetLabel() {
			if name := pair.GetName(); name != "endpoint" && name != "hub" {
				names = append(names, "`"+pair.GetName()+"`")
			}
		}
		slices.SortFunc(names, func(a, b string) int { return strings.Compare(b, a) })
		row := "| `" + family.GetName() + "` | " + strings.ToLower(family.GetType().String()) + " | " + strings.Join(names, ", ")
		start := strings.Index(string(page), strings.TrimSuffix(row, " "))
		if start < 0 {
			t.Errorf("the page lacks %q", row)
			continue
		}
		line, _, _ := strings.Cut(string(page)[start:], "\n")
		for _, pair := range family.GetMetric()[0].GetLabel() {
			if !strings.Contains(line, pair.GetName()+`="`) {
				t.Errorf("the example of %s lacks the label %s", family.GetName(), pair.GetName())
			}
		}
	}
}
