//go:build !js

package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// broken is a server that does one thing wrong at its tenth message of a connection, or at the end.
type broken func(ctx context.Context, conn *server.Conn, n int, m ws.Message) error

// crowdOf returns a crowd of one client for a server, and a function that ends it and returns its
// problems.
func crowdOf(t *testing.T, p population, handler http.Handler) (c *crowd, end func() string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	address := s.Listener.Addr().String()
	c = newCrowd(t.Context(), p, addresses{address, address, address}, time.Millisecond, 1)
	c.patience, c.beat = 8*time.Second, 200*time.Millisecond
	c.proxies = []string{address}
	c.start()
	return c, func() string {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if count, _ := c.problems.list(); count > 0 {
				break
			}
		}
		if err := c.finish(time.Minute); err != nil {
			t.Error(err)
		}
		_, texts := c.problems.list()
		return strings.Join(texts, "\n")
	}
}

// TestClientsFindFaults runs clients of each kind against servers that do something wrong.
func TestClientsFindFaults(t *testing.T) {
	echo := func(f broken) func(context.Context, *server.Conn) error {
		return func(ctx context.Context, conn *server.Conn) error {
			for n := 0; ; n++ {
				m, err := conn.Receive(ctx)
				if err == nil && n == 10 {
					err = f(ctx, conn, n, m)
				} else if err == nil {
					err = conn.Send(ctx, m)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	doubling := echo(func(ctx context.Context, conn *server.Conn, _ int, m ws.Message) error {
		conn.Send(ctx, m)
		return conn.Send(ctx, m)
	})
	steady := population{Steady: 1}
	for _, tt := range []struct {
		name  string
		of    population
		serve func(ctx context.Context, conn *server.Conn) error
		want  string
	}{
		{"an echo is lost", steady, echo(func(context.Context, *server.Conn, int, ws.Message) error { return nil }), "steady client 1"},
		{"an echo is doubled", steady, doubling, "steady client 1"},
		{"an echo is changed", steady, echo(func(ctx context.Context, conn *server.Conn, _ int, m ws.Message) error {
			m.Data = bytes.Clone(m.Data)
			m.Data[len(m.Data)-1] ^= 1
			return conn.Send(ctx, m)
		}), "changed"},
		{"the connection ends", steady, echo(func(context.Context, *server.Conn, int, ws.Message) error { return errors.GoingAway }), "1001"},
		{"another reason", population{Churning: 1}, func(ctx context.Context, conn *server.Conn) error {
			return &errors.ConnectionClosed{Reason: 4123}
		}, "4123"},
		{"a pushed message is lost", population{Slow: 1}, func(ctx context.Context, conn *server.Conn) error {
			for n := uint64(0); ; n++ {
				if n == 30 {
					continue
				}
				if err := conn.Send(ctx, pushScript(1).message(nil, n)); err != nil {
					return err
				}
			}
		}, "lost or reordered"},
		{"an echo of a faulty client is doubled", population{Faulty: 1}, doubling, "doubled or reordered"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := server.Handler(tt.serve, &server.Options{CloseTimeout: time.Second})
			_, end := crowdOf(t, tt.of, e)
			if got := end(); !strings.Contains(got, tt.want) {
				t.Errorf("the client found %q, want %q", got, tt.want)
			}
			e.Shutdown(context.Background())
		})
	}
}

// TestSilentPeerIsKept checks that dying peers report a server that does not notice them.
func TestSilentPeerIsKept(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := newCrowd(t.Context(), population{}, addresses{}, time.Millisecond, 1)
	c.patience = 10*time.Millisecond - deadAfter
	defer c.cancel()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.die(conn.(*net.TCPConn), death{"GET", "silence"}, 0); err == nil || !strings.Contains(err.Error(), "had kept a silent peer") {
		t.Errorf("die = %v", err)
	}
}
