//go:build !js

package ws

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/isosocket/isosocket/ws/driver"
)

// Native is the native side of a [Conn]. It has the information and the operations that
// a browser does not offer to a program. It does not exist in a browser build, so that
// its use there does not compile. All methods may be called from many goroutines at the
// same time; all but Ping also work after the end of the connection.
type Native struct{ conn *Conn }

// Native returns the native side of c. It does not exist in a browser build.
func (c *Conn) Native() Native { return Native{c} }

// Response returns the response with which the server accepted the handshake, with its
// header unchanged, including cookies. Its Body is empty, and its Request nil. Each call
// returns a new one, which the caller may change. On a server, and for a [Pipe], it
// returns nil.
func (n Native) Response() *http.Response {
	if t, ok := n.conn.transport.(driver.Responder); ok {
		return t.Response()
	}
	return nil
}

// LocalAddr returns the address of this side of the network connection. It is nil if it is
// not known, as for a [Pipe].
func (n Native) LocalAddr() net.Addr {
	if t, ok := n.conn.transport.(driver.Addresser); ok {
		return t.LocalAddr()
	}
	return nil
}

// RemoteAddr returns the address of the other side of the network connection: of the
// peer, or of the proxy between. It is nil if it is not known, as for a [Pipe].
func (n Native) RemoteAddr() net.Addr {
	if t, ok := n.conn.transport.(driver.Addresser); ok {
		return t.RemoteAddr()
	}
	return nil
}

// TLS returns the state of the TLS connection, with the peer's certificates, or nil if the
// connection does not use TLS. The certificates in it are shared and must not be changed.
func (n Native) TLS() *tls.ConnectionState {
	if t, ok := n.conn.transport.(driver.TLSReporter); ok {
		return t.TLS()
	}
	return nil
}

// Ping sends a ping (RFC 6455, section 5.5.2), waits for the peer's pong, and returns the
// time between, which [Conn.Latency] then returns too. The ping goes ahead of the messages
// that wait to be sent, but after the bytes that the system has already accepted. The
// program need not receive meanwhile; but if ReceiveBuffer is full of messages that it did
// not receive, the pong after them is not read. If the program receives now and then, Ping
// may take up to 100 ms longer.
//
// Many Pings may wait at the same time. A peer may answer only the last of them (section
// 5.5.3): a pong answers the earlier pings too, with the time that its own ping took.
//
// If ctx ends first, the error is ctx.Err() and the connection stays open. If the
// connection has ended, it is its [*errors.ConnectionClosed]. If the transport sends no
// pings, it is [errors.ErrUnsupported]. A [Pipe] answers at once.
func (n Native) Ping(ctx context.Context) (time.Duration, error) {
	c := n.conn
	p, ok := c.transport.(driver.Pinger)
	if !ok {
		return 0, errNoPings
	}
	if err := c.maySend(nil); err != nil {
		return 0, err
	}
	took, err := p.Ping(ctx)
	if err != nil {
		return 0, c.explain(ctx, "ping", err)
	}
	return took, nil
}

var errNoPings error = &unsupportedError{"ping: the transport sends no pings"}
