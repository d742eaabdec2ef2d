//go:build !js

package testing

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// The whole way, over a socket of this machine.
func TestOverASocket(t *testing.T) {
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error { return Quiz(ctx, conn.Conn) }, nil)
	s := httptest.NewServer(endpoint)
	defer s.Close()
	conn, err := isosocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send(t.Context(), ws.Text("43")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for m, err := range conn.Messages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.String())
	}
	if strings.Join(got, ", ") != "6 x 7?, wrong" {
		t.Errorf("received %q", got)
	}
}
