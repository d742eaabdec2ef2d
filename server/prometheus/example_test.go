//go:build !js

package prometheus_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/server/prometheus"
	"github.com/isosocket/isosocket/ws"
)

// A server with an endpoint, and with its metrics at /metrics.
func ExampleNewCollector() {
	chat := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		_, err := conn.Receive(ctx)
		return err
	}, nil)
	registry := client.NewRegistry()
	registry.MustRegister(prometheus.NewCollector("chat", chat))

	mux := http.NewServeMux()
	mux.Handle("/chat", chat)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	s := httptest.NewServer(mux)
	defer s.Close()

	if answer, err := http.Get(s.URL + "/chat"); err == nil { // no handshake
		answer.Body.Close()
	}
	answer, err := http.Get(s.URL + "/metrics")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "isosocket_connections{") || strings.HasPrefix(line, "isosocket_handshakes_total{") {
			fmt.Print(line)
		}
	}
	// Output:
	// isosocket_connections{endpoint="chat"} 0
	// isosocket_handshakes_total{endpoint="chat",status="101"} 0
	// isosocket_handshakes_total{endpoint="chat",status="426"} 1
}

// A program with a hub of topics exports its figures, too.
func ExampleNewHubCollector() {
	h, err := hub.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close(context.Background())
	registry := client.NewRegistry()
	registry.MustRegister(prometheus.NewHubCollector("rooms", h))
	if _, err := h.Publish(context.Background(), "lobby", ws.Text("hello"), nil); err != nil {
		fmt.Println(err)
		return
	}
	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, family := range families {
		if family.GetName() == "isosocket_hub_published_total" {
			fmt.Println(family.GetHelp(), family.GetMetric()[0].GetCounter().GetValue())
		}
	}
	// Output: Messages published on this machine. 1
}
