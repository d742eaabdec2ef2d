//go:build !js

package handshake

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// aheadConn is a connection whose reads fail once its deadline is in the past.
type aheadConn struct {
	net.Conn
	t        *testing.T
	fails    error
	deadline time.Time
}

func (c *aheadConn) SetReadDeadline(deadline time.Time) error {
	if c.fails == nil {
		c.deadline = deadline
	}
	return c.fails
}

func (c *aheadConn) Read([]byte) (int, error) {
	if c.deadline.IsZero() {
		c.t.Error("read from the connection without a deadline")
	}
	return 0, os.ErrDeadlineExceeded
}

func TestReadAhead(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 511, 512, 513, 20_000} {
		conn := &aheadConn{t: t}
		want := strings.Repeat("x", size)
		got, ok := readAhead(io.MultiReader(strings.NewReader(want), conn), conn)
		if !ok || string(got) != want {
			t.Errorf("%d bytes: readAhead = %d bytes, %v", size, len(got), ok)
		}
		if !conn.deadline.IsZero() {
			t.Errorf("%d bytes: the deadline is still set", size)
		}
	}
}

func TestReadAheadWithoutDeadlines(t *testing.T) {
	t.Parallel()
	conn := &aheadConn{t: t, fails: errors.ErrUnsupported}
	stream := strings.NewReader("hello")
	if got, ok := readAhead(stream, conn); ok || got != nil || stream.Len() != 5 {
		t.Errorf("readAhead = %q, %v; %d bytes are left", got, ok, stream.Len())
	}
}
