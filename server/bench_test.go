//go:build !js

package server_test

import (
	"bufio"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket/server"
)

// BenchmarkHandshake opens connections as fast as one client can. The client drops each
// without a close frame. The system takes most of the time.
func BenchmarkHandshake(b *testing.B) {
	b.Run("isosocket", func(b *testing.B) {
		benchmarkHandshake(b, server.Handler(func(ctx context.Context, conn *server.Conn) error {
			_, err := conn.Receive(ctx)
			return err
		}, nil))
	})
	b.Run("isosocket with Authorize", func(b *testing.B) {
		benchmarkHandshake(b, server.Handler(func(ctx context.Context, conn *server.Conn) error {
			_, err := conn.Receive(ctx)
			return err
		}, &server.Options{Authorize: func(r *http.Request) (any, error) { return r.Host, nil }}))
	})
	b.Run("coder", func(b *testing.B) {
		benchmarkHandshake(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, err := websocket.Accept(w, r, nil)
			if err == nil {
				conn.Read(r.Context())
				conn.CloseNow()
			}
		}))
	})
}

func benchmarkHandshake(b *testing.B, h http.Handler) {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	defer s.Close()
	const request = "GET /chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: bench\r\n\r\n"
	b.ReportAllocs()
	for b.Loop() {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		io.WriteString(conn, request)
		status, err := bufio.NewReaderSize(conn, 64).ReadString('\n')
		if err != nil || status != "HTTP/1.1 101 Switching Protocols\r\n" {
			b.Fatal(status, err)
		}
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}
