//go:build !js

package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	wserrors "github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/stream"
)

// listening is an http.Server over a Listener.
func listening(t *testing.T, o *Limits, h http.Handler) (l *limitedListener, address string) {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limited, err := Listener(tcp, o)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(limited)
	t.Cleanup(func() { s.Close() })
	return limited.(*limitedListener), tcp.Addr().String()
}

// silent connects from an address of this machine and sends nothing.
func silent(t *testing.T, address, from string) net.Conn {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", address)
	if errors.Is(err, syscall.ECONNRESET) {
		return nil // closed before the dialer returned
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// cut reports whether the server closes c within a time, on which the client sends no data.
func cut(t *testing.T, c net.Conn, within time.Duration) bool {
	t.Helper()
	if c == nil {
		return true
	}
	c.SetReadDeadline(time.Now().Add(within))
	_, err := c.Read(make([]byte, 1))
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return true
	case err != nil && strings.Contains(err.Error(), "timeout"):
		return false
	}
	t.Fatalf("the read ended with %v", err)
	return false
}

func (l *limitedListener) await(t *testing.T, busy int) {
	t.Helper()
	for range 6000 {
		if n, _ := l.clients.sizes(); n == busy {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("the number of addresses with connections is not %d", busy)
}

func TestListenerLimitsConnections(t *testing.T) {
	t.Parallel()
	const soon, moment = 20 * time.Second, 200 * time.Millisecond
	l, address := listening(t, &Limits{MaxConnectionsPerAddress: 2}, http.NotFoundHandler())
	first, second := silent(t, address, "127.0.0.1"), silent(t, address, "127.0.0.1")
	if !cut(t, silent(t, address, "127.0.0.1"), soon) {
		t.Error("a third silent connection is accepted")
	}
	if cut(t, silent(t, address, "127.0.0.2"), moment) {
		t.Error("a connection of another address is closed")
	}
	if cut(t, first, moment) || cut(t, second, moment) {
		t.Error("a connection within the limit is closed")
	}
	first.Close()
	second.Close()
	l.await(t, 1)
	if cut(t, silent(t, address, "127.0.0.1"), moment) {
		t.Error("after the first connections were closed, another one is refused")
	}
}

func TestListenerLimitsTheRate(t *testing.T) {
	t.Parallel()
	_, address := listening(t, &Limits{HandshakeRate: 1}, http.NotFoundHandler())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	served := 0
	begin := time.Now()
	for range 4 * rateBurst {
		if response, err := client.Get("http://" + address); err == nil {
			response.Body.Close()
			served++
		}
	}
	if most := rateBurst + int(time.Since(begin).Seconds()) + 1; served < rateBurst || served > most {
		t.Errorf("%d connections were served, want %d to %d", served, rateBurst, most)
	}
}

// TestListenerAndEndpoint: after the handshake the listener no longer counts a connection,
// and the Endpoint uses the socket itself.
func TestListenerAndEndpoint(t *testing.T) {
	t.Parallel()
	e := Handler(func(ctx context.Context, conn *Conn) error {
		_, err := conn.Receive(ctx)
		return err
	}, nil)
	l, address := listening(t, &Limits{MaxConnectionsPerAddress: 1}, e)
	for i := range 3 {
		conn, err := isosocket.Dial(t.Context(), "ws://"+address, nil)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.CloseNow(wserrors.NormalClosure, "")
		l.await(t, 0)
	}
	e.mu.Lock()
	var transports []*stream.Transport
	for _, ctx := range e.conns {
		transports = append(transports, ctx.transport)
	}
	e.mu.Unlock()
	for _, transport := range transports {
		if !transport.IsSocket() {
			t.Error("a connection of a Listener is not read through its descriptor")
		}
	}
}

func TestListenerDefaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		limits  *Limits
		remote  string
		limited bool
	}{
		{"the Internet", nil, "203.0.113.7:1", true},
		{"this machine", nil, "127.0.0.1:1", false},
		{"a number for this machine", &Limits{HandshakeRate: 1}, "127.0.0.1:1", true},
		{"a trusted proxy", &Limits{TrustedProxies: []string{"10.0.0.0/8"}}, "10.0.0.1:1", false},
		{"no limit", &Limits{HandshakeRate: -1, MaxConnectionsPerAddress: -1}, "203.0.113.7:1", false},
	} {
		limiter, err := newLimiter(test.limits)
		if err != nil {
			t.Fatal(err)
		}
		l := &limitedListener{limiter: limiter}
		remote, _ := net.ResolveTCPAddr("tcp", test.remote)
		a, ok := l.enter(remoteConn{remote: remote})
		if !ok || (a != nil) != test.limited {
			t.Errorf("%s: limited %v, accepted %v", test.name, a != nil, ok)
		}
	}
	if _, err := Listener(nil, &Limits{TrustedProxies: []string{"x"}}); err == nil || !strings.Contains(err.Error(), "TrustedProxies") {
		t.Errorf("an invalid proxy: %v", err)
	}
}

type remoteConn struct {
	net.Conn
	remote net.Addr
}

func (c remoteConn) RemoteAddr() net.Addr { return c.remote }

// net/http sends files by ReadFrom, and ends connections by CloseWrite.
func TestLimitedConnKeepsItsConnectionsMethods(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	client, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	served, err := tcp.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	direct := &limitedConn{Conn: served}
	if n, err := direct.ReadFrom(strings.NewReader("sent ")); n != 5 || err != nil {
		t.Errorf("ReadFrom = %d, %v", n, err)
	}
	// A connection without these methods has its Write only.
	wrapped := &limitedConn{Conn: struct{ net.Conn }{served}}
	if n, err := wrapped.ReadFrom(strings.NewReader("whole")); n != 5 || err != nil {
		t.Errorf("ReadFrom of a wrapped connection = %d, %v", n, err)
	}
	if err := wrapped.CloseWrite(); err != nil {
		t.Errorf("CloseWrite of a wrapped connection = %v", err)
	}
	if err := direct.CloseWrite(); err != nil {
		t.Errorf("CloseWrite = %v", err)
	}
	client.SetReadDeadline(time.Now().Add(time.Minute))
	if all, err := io.ReadAll(client); string(all) != "sent whole" || err != nil {
		t.Errorf("received %q, %v", all, err)
	}
}

// A connection that has no address, or that of a proxy that Limits trust, is not limited.
func TestListenerLetsOthersPass(t *testing.T) {
	l, _ := listening(t, &Limits{MaxConnectionsPerAddress: 1, TrustedProxies: []string{"10.0.0.0/8"}}, http.NotFoundHandler())
	for _, addr := range []net.Addr{&net.UnixAddr{Name: "/run/socket", Net: "unix"}, &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 4}} {
		for range 3 {
			if a, ok := l.enter(&addressed{addr: addr}); a != nil || !ok {
				t.Errorf("%v: counted %v, accepted %v", addr, a != nil, ok)
			}
		}
	}
	for i := range 2 {
		if _, ok := l.enter(&addressed{addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4}}); ok != (i == 0) {
			t.Errorf("connection %d of one address: accepted %v", i+1, ok)
		}
	}
}

// addressed is a connection with nothing but an address.
type addressed struct {
	net.Conn
	addr net.Addr
}

func (a *addressed) RemoteAddr() net.Addr { return a.addr }

// wrapper is a http.ResponseWriter of a middleware.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hijackable is a http.ResponseWriter as net/http's.
type hijackable struct {
	http.ResponseWriter
	http.Hijacker
}

func TestHijackerIsFoundBelowWrappers(t *testing.T) {
	for w, want := range map[http.ResponseWriter]bool{
		hijackable{}:                             true,
		wrapper{wrapper{hijackable{}}}:           true,
		wrapper{struct{ http.ResponseWriter }{}}: false,
		struct{ http.ResponseWriter }{}:          false,
	} {
		if got := canHijack(w); got != want {
			t.Errorf("%T: %v, want %v", w, got, want)
		}
	}
}

func TestDrainErrorCounts(t *testing.T) {
	for n, want := range map[int]string{1: "websocket: drain: 1 connection was cut: EOF", 2: "websocket: drain: 2 connections were cut: EOF"} {
		if got := (&DrainError{Cut: n, Err: io.EOF}).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestObserverWithoutAContext(t *testing.T) {
	r := &http.Request{}
	if got := (&Observer{HandshakeStart: func(*http.Request) context.Context { return nil }}).handshakeStart(r); got != r {
		t.Error("the request was replaced")
	}
}
