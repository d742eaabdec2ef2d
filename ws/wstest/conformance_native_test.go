//go:build !js

package wstest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/testing/h2client"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/internal/testing/parity"
	"github.com/isosocket/isosocket/server"
	_ "github.com/isosocket/isosocket/server/http2"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

const (
	name  = "native"
	class = wstest.Native
)

func serverAddresses(t *testing.T) (a wstest.Addresses) {
	t.Helper()
	if s := os.Getenv("WSTEST_SERVER"); s != "" {
		if err := json.Unmarshal([]byte(s), &a); err != nil {
			t.Fatalf("WSTEST_SERVER: %v", err)
		}
		return a
	}
	server, err := parity.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server.Addresses()
}

// TestConformanceOverMessages runs every case against a test server whose library endpoints are
// made by server.Messages.
func TestConformanceOverMessages(t *testing.T) {
	server, err := parity.StartMessagesServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	target := dialTarget(server.Addresses())
	target.Name += "-messages"
	wstest.Run(t, target)
}

// trust returns options that trust the test server's certificate, PEM, and record each dialled
// socket.
func trust(certificate string) *isosocket.NativeOptions {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(certificate))
	return &isosocket.NativeOptions{TLSConfig: &tls.Config{RootCAs: roots}, DialContext: dialled.dial}
}

// dialled holds the sockets that were dialled since the current case began. It drops some that
// are closed, because cases count the objects on the heap.
var dialled sockets

type sockets struct {
	mu  sync.Mutex
	all []net.Conn
}

func (s *sockets) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err == nil {
		s.mu.Lock()
		s.all = append(slices.DeleteFunc(s.all, func(c net.Conn) bool { return !isOpen(c) }), conn)
		s.mu.Unlock()
	}
	return conn, err
}

// take returns the sockets and empties the list.
func (s *sockets) take() []net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.all
	s.all = nil
	return all
}

// isOpen reports whether conn has not been closed, without any effect on it.
func isOpen(conn net.Conn) bool {
	raw, err := conn.(syscall.Conn).SyscallConn()
	return err == nil && raw.Control(func(uintptr) {}) == nil
}

// checkLeft fails t if a case leaves a goroutine or an open socket.
func checkLeft(t testing.TB) {
	t.Helper()
	leak.Check(t)
	dialled.take()
	t.Cleanup(func() {
		deadline := time.Now().Add(closeGrace)
		for _, conn := range dialled.take() {
			expectClosed(t, deadline, "the socket to "+conn.RemoteAddr().String(), func() bool { return !isOpen(conn) })
		}
	})
}

// TestConformanceOverHTTP2 runs the cases that need no raw frames over streams of HTTP/2: once with
// the server's connection as the one under test, and once as its peer.
func TestConformanceOverHTTP2(t *testing.T) {
	for _, side := range []string{"server", "client"} {
		t.Run(side, func(t *testing.T) {
			pairs := startHTTP2Pairs(t)
			target := wstest.PipeTarget(func(near, far *ws.Config) (*ws.Conn, *ws.Conn) {
				if side == "server" {
					client, server := pairs.open(t, far, near)
					return server, client
				}
				return pairs.open(t, near, far)
			})
			target.Name = "http2-" + side
			wstest.Run(t, target)
		})
	}
}

// http2Pairs makes connected pairs over one connection of HTTP/2.
type http2Pairs struct {
	client *h2client.Client

	mu       sync.Mutex
	config   *ws.Config // of the next server's connection
	accepted chan *ws.Conn
}

func startHTTP2Pairs(t *testing.T) *http2Pairs {
	t.Helper()
	p, over := &http2Pairs{accepted: make(chan *ws.Conn)}, make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e *server.Endpoint
		e = server.Handler(func(ctx context.Context, conn *server.Conn) error {
			p.accepted <- conn.Conn
			<-conn.Done()
			// The return drops messages that the case has not received yet, and one that a Receive is
			// just about to return.
			for received := false; !received; {
				received = e.Stats().Unreceived == 0
				select {
				case <-over:
					return nil
				case <-time.After(100 * time.Millisecond):
				}
			}
			return nil
		}, &server.Options{
			MaxMessageSize: p.config.MaxMessageSize,
			MaxStreamSize:  p.config.MaxStreamSize,
			FragmentSize:   p.config.FragmentSize,
			SendBuffer:     p.config.SendBuffer,
			ReceiveBuffer:  p.config.ReceiveBuffer,
			CloseTimeout:   p.config.CloseTimeout,
			PingInterval:   -1,
		})
		e.ServeHTTP(w, r)
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	client, err := h2client.Dial(t.Context(), s.Listener.Addr().String(), s.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	t.Cleanup(func() { close(over) })
	p.client = client
	return p
}

func (p *http2Pairs) open(t *testing.T, client, server *ws.Config) (*ws.Conn, *ws.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config = server
	conn, err := p.client.WebSocket(context.Background(), "/", nil, client)
	if err != nil {
		t.Error(err)
		return ws.Pipe(client, server) // so that the case can go on
	}
	return conn, <-p.accepted
}
