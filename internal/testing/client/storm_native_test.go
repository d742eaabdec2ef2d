//go:build !js

package client_test

import (
	"context"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/storm"
	"github.com/isosocket/isosocket/ws"
)

// sendsPings says whether the target supports DialOptions.PingInterval.
const sendsPings = true

// parallel runs t in parallel: each test has its own server and proxy.
func parallel(t *testing.T) { t.Parallel() }

// stormURLs starts the server.
func stormURLs(t *testing.T) (url, direct string) {
	t.Helper()
	s, err := storm.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.URL(), s.Direct()
}

// countResources counts goroutines and file descriptors, and returns a function that fails t if
// there are more than before.
func countResources(t *testing.T) (check func()) {
	t.Helper()
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return 0 // not on this system: only the goroutines count
		}
		return len(entries)
	}
	goroutines, descriptors := runtime.NumGoroutine(), files()
	return func() {
		t.Helper()
		settled(t, "goroutines", runtime.NumGoroutine, goroutines)
		settled(t, "file descriptors", files, descriptors)
	}
}

// watchSockets fails t if a socket is opened before the last one is closed.
func watchSockets(t *testing.T, o *isosocket.DialOptions) {
	var open atomic.Int64
	o.Native = &isosocket.NativeOptions{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if n := open.Add(1); n > 1 {
			t.Errorf("%d sockets are open", n)
		}
		return &countedSocket{TCPConn: conn.(*net.TCPConn), open: &open}, nil
	}}
}

// TestOneSocketAtATime checks that an attempt that is due waits until the socket of the last
// connection is closed, even if the peer never answers the close frame.
func TestOneSocketAtATime(t *testing.T) {
	parallel(t)
	s := newStorm(t)
	dial := &isosocket.DialOptions{
		CloseTimeout: 500 * time.Millisecond,
		Heartbeat:    &ws.Heartbeat{Every: 200 * time.Millisecond, Timeout: 200 * time.Millisecond},
	}
	watchSockets(t, dial)
	connections := 0
	options := &isosocket.ReconnectOptions{Dial: dial, BaseDelay: time.Microsecond}
	for conn, err := range isosocket.Connections(t.Context(), s.url+"/echo?client=one", options) {
		if err != nil {
			t.Fatal(err)
		}
		if connections++; connections == 3 {
			break
		}
		s.fault("blackhole", 0)
		s.fault("pass", 0) // for the next connection; this one stays broken
		if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.PolicyViolation) {
			t.Errorf("Receive = %v, want the miss", err)
		}
	}
}

// countedSocket reports its Close.
type countedSocket struct {
	*net.TCPConn
	open *atomic.Int64
	once sync.Once
}

func (s *countedSocket) Close() error {
	err := s.TCPConn.Close()
	s.once.Do(func() { s.open.Add(-1) })
	return err
}
