//go:build !js

package wstest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/internal/testing/parity"
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
