//go:build !js

package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
)

// BenchmarkDial opens and closes connections, one after the other.
func BenchmarkDial(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(echoServer))
	defer s.Close()
	ctx := context.Background()
	b.Run("isosocket", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			conn, err := isosocket.Dial(ctx, s.URL, nil)
			if err != nil {
				b.Fatal(err)
			}
			conn.Close(errors.NormalClosure, "")
		}
	})
	b.Run("coder", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			conn, _, err := websocket.Dial(ctx, s.URL, nil)
			if err != nil {
				b.Fatal(err)
			}
			conn.Close(websocket.StatusNormalClosure, "")
		}
	})
}
