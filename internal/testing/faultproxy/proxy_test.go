//go:build !js

package faultproxy

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// echo starts a server that echoes, and counts the connections that ended with a FIN and with an
// error.
type echo struct {
	listener net.Listener
	ends     chan error
}

func startEcho(t *testing.T) *echo {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{listener, make(chan error, 10)}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() {
				defer conn.Close()
				_, err := io.Copy(conn, conn)
				e.ends <- err
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		tasks.Wait()
	})
	return e
}

func start(t *testing.T) (*Proxy, *echo) {
	t.Helper()
	e := startEcho(t)
	p, err := Start(e.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, e
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// roundTrip sends s and returns the data that it receives within d.
func roundTrip(conn net.Conn, s string, d time.Duration) (string, error) {
	if _, err := io.WriteString(conn, s); err != nil {
		return "", err
	}
	conn.SetReadDeadline(time.Now().Add(d))
	buf := make([]byte, len(s))
	n, err := io.ReadFull(conn, buf)
	return string(buf[:n]), err
}

func mustEcho(t *testing.T, conn net.Conn, s string) {
	t.Helper()
	if got, err := roundTrip(conn, s, 30*time.Second); got != s || err != nil {
		t.Fatalf("sent %q, received %q, %v", s, got, err)
	}
}

func set(t *testing.T, p *Proxy, f Fault, latency time.Duration) {
	t.Helper()
	if err := p.Set(f, latency); err != nil {
		t.Fatalf("Set(%v): %v", f, err)
	}
}

const silence = 100 * time.Millisecond

func TestPassKeepsOrderWithLatency(t *testing.T) {
	p, e := start(t)
	conn := dial(t, p)
	mustEcho(t, conn, "at once")
	set(t, p, Pass, 20*time.Millisecond)
	began := time.Now()
	mustEcho(t, conn, strings.Repeat("0123456789", 20000))
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("the round trip took %v, want twice the latency", took)
	}
	conn.(*net.TCPConn).CloseWrite()
	if err := <-e.ends; err != nil {
		t.Errorf("the server saw %v, want the end of the stream", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client saw %v, want the end of the stream", err)
	}
}

func TestBlackhole(t *testing.T) {
	p, _ := start(t)
	old := dial(t, p)
	mustEcho(t, old, "before")
	set(t, p, Blackhole, 0)
	fresh := dial(t, p)
	for name, conn := range map[string]net.Conn{"open": old, "new": fresh} {
		if got, err := roundTrip(conn, "lost", silence); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("on the %s connection received %q, %v, want nothing", name, got, err)
		}
	}
	set(t, p, Pass, 0)
	if got, err := roundTrip(old, "lost", silence); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("received %q, %v, want nothing after the fault has ended, too", got, err)
	}
	old.(*net.TCPConn).CloseWrite()
	old.SetReadDeadline(time.Now().Add(silence))
	if _, err := old.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a client that closed saw %v, want nothing", err)
	}
	mustEcho(t, dial(t, p), "after")
}

func TestReset(t *testing.T) {
	p, e := start(t)
	conn := dial(t, p)
	mustEcho(t, conn, "before")
	set(t, p, Reset, 0)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v, want a reset", err)
	}
	if err := <-e.ends; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server saw %v, want a reset", err)
	}
	mustEcho(t, dial(t, p), "after")
}

func TestHalfClose(t *testing.T) {
	p, e := start(t)
	conn := dial(t, p)
	mustEcho(t, conn, "before")
	set(t, p, HalfClose, 0)
	if got, err := roundTrip(conn, "lost", 30*time.Second); got != "" || err != io.EOF {
		t.Errorf("received %q, %v, want the end of the stream", got, err)
	}
	select {
	case err := <-e.ends:
		t.Errorf("the server saw the end: %v", err)
	case <-time.After(silence):
	}
	conn.Close()
	mustEcho(t, dial(t, p), "after")
	select {
	case err := <-e.ends:
		t.Errorf("the server saw the end: %v", err)
	case <-time.After(silence):
	}
}

func TestRefuse(t *testing.T) {
	p, _ := start(t)
	conn := dial(t, p)
	mustEcho(t, conn, "before")
	set(t, p, Refuse, 0)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v, want a reset", err)
	}
	if conn, err := net.Dial("tcp", p.Address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialed %v, %v, want a refusal", conn, err)
	}
	set(t, p, Pass, 0)
	mustEcho(t, dial(t, p), "after")
}

func TestHang(t *testing.T) {
	p, _ := start(t)
	old := dial(t, p)
	mustEcho(t, old, "before")
	set(t, p, Hang, 0)
	if _, err := old.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client saw %v, want a reset", err)
	}
	if got, err := roundTrip(dial(t, p), "hello", silence); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("received %q, %v, want nothing", got, err)
	}
	set(t, p, Pass, 0)
	mustEcho(t, dial(t, p), "after")
}

// TestBothSidesLeave checks that a proxy forgets a broken connection that both sides have closed.
func TestBothSidesLeave(t *testing.T) {
	for _, fault := range []Fault{Blackhole, HalfClose} {
		t.Run(fault.String(), func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			p, err := Start(listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			client := dial(t, p)
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			pairs := func() int {
				p.mu.Lock()
				defer p.mu.Unlock()
				return len(p.pairs)
			}
			// Both sides are connected once something has passed.
			if _, err := io.WriteString(client, "x"); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			set(t, p, fault, 0)
			server.Close()
			time.Sleep(20 * time.Millisecond)
			if n := pairs(); n != 1 {
				t.Errorf("%d connections after one side has left, want 1", n)
			}
			client.Close()
			for deadline := time.Now().Add(30 * time.Second); pairs() > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the connection is kept after both sides have left")
				}
			}
		})
	}
}

func TestFaultNames(t *testing.T) {
	for _, f := range append([]Fault{Pass}, Faults...) {
		if got, err := ParseFault(f.String()); got != f || err != nil {
			t.Errorf("ParseFault(%q) = %v, %v", f, got, err)
		}
	}
	if _, err := ParseFault("flood"); err == nil || !strings.Contains(err.Error(), "flood") {
		t.Errorf("ParseFault of an unknown name = %v, want an error that names it", err)
	}
	p, _ := start(t)
	if err := p.Set(Fault(77), 0); err == nil {
		t.Error("Set accepted a fault that does not exist")
	}
}
