//go:build !js

package handshake

import (
	"net"
	"sync"
	"sync/atomic"
)

// ClientFirst is a connection that delays reads until the first write. net/http reads
// as soon as it has a connection. If the server speaks first, as SSH and mail servers
// do, net/http treats that as a fault of an idle connection: it writes the bytes to the
// standard logger, and its error has no details. After the request, the same bytes are
// a malformed answer.
type ClientFirst struct {
	net.Conn
	begun atomic.Bool
	once  sync.Once
	wait  chan struct{} // closed by the first Write, and by Close
}

// NewClientFirst returns the connection over conn.
func NewClientFirst(conn net.Conn) *ClientFirst {
	return &ClientFirst{Conn: conn, wait: make(chan struct{})}
}

// Read implements [net.Conn]. A deadline does not end the wait for the first
// Write; Close does.
func (c *ClientFirst) Read(p []byte) (int, error) {
	if !c.begun.Load() {
		<-c.wait
	}
	return c.Conn.Read(p)
}

// Write implements [net.Conn].
func (c *ClientFirst) Write(p []byte) (int, error) {
	c.begin()
	return c.Conn.Write(p)
}

// Close implements [net.Conn].
func (c *ClientFirst) Close() error {
	err := c.Conn.Close()
	c.begin()
	return err
}

func (c *ClientFirst) begin() {
	if !c.begun.Load() {
		c.once.Do(func() {
			c.begun.Store(true)
			close(c.wait)
		})
	}
}
