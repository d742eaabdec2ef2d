package netconn

import (
	"cmp"
	"context"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// Options configure [New]. A nil pointer and the zero value select the defaults.
type Options struct {
	// MessageSize is the most bytes that one message carries; a longer Write
	// becomes several messages. The peer's MaxMessageSize must allow it. 0 means
	// 32 KiB, a negative number no limit: each Write is one message.
	MessageSize int

	// LocalAddr and RemoteAddr are the results of the methods of these names. nil
	// means the addresses of the network connection. Where there are none, in a browser
	// or over a [ws.Pipe], it means an address of the network "websocket" without
	// details.
	LocalAddr, RemoteAddr net.Addr
}

// DefaultMessageSize is 32 KiB.
const DefaultMessageSize = 32 << 10

// New returns a net.Conn over conn, which it takes over: nothing else may receive from
// conn or send on it. A nil o selects the defaults.
//
// All methods of the net.Conn may be called from many goroutines at the same
// time. Deadlines work on both targets, and a Read or Write that a deadline
// ended leaves the connection usable: its error is [os.ErrDeadlineExceeded],
// and no byte is lost, because a Write that returns n sent exactly the first n
// bytes.
func New(conn *ws.Conn, o *Options) net.Conn {
	c := &netConn{conn: conn, messageSize: DefaultMessageSize}
	if o != nil {
		if o.MessageSize != 0 {
			c.messageSize = o.MessageSize
		}
		c.local, c.remote = o.LocalAddr, o.RemoteAddr
	}
	local, remote := addresses(conn)
	c.local = cmp.Or[net.Addr](c.local, local, address{})
	c.remote = cmp.Or[net.Addr](c.remote, remote, address{})
	return c
}

type netConn struct {
	conn          *ws.Conn
	messageSize   int // 0 or less: no limit
	local, remote net.Addr
	closed        atomic.Bool

	reading sync.Mutex // held by a Read; guards rest
	rest    []byte     // of a message that was larger than its Read's buffer
	writing sync.Mutex // held by a Write, so that its bytes stay together

	readDeadline, writeDeadline deadline
}

// Read implements [net.Conn].
func (c *netConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	ctx := c.readDeadline.context()
	switch {
	case c.closed.Load():
		return 0, c.opError("read", net.ErrClosed)
	case ctx.Err() != nil:
		return 0, c.opError("read", os.ErrDeadlineExceeded)
	case len(p) == 0:
		return 0, nil
	}
	for len(c.rest) == 0 {
		m, err := c.conn.ReceiveInto(ctx, p[:0:len(p)])
		switch {
		case err != nil:
			return 0, c.explain("read", ctx, err)
		case m.Kind != ws.KindBinary:
			_ = c.conn.CloseNow(errors.UnsupportedData, "binary messages only") // Read has a deadline, and Close waits for the peer
			return 0, c.opError("read", errNotBinary)
		case len(m.Data) > len(p):
			c.rest = m.Data // in separate memory
		case len(m.Data) > 0:
			return len(m.Data), nil // in p
		}
	}
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil
	}
	return n, nil
}

var errNotBinary = errors.New("websocket: a text message arrived in a stream of binary messages")

// Write implements [net.Conn].
func (c *netConn) Write(p []byte) (sent int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for {
		ctx := c.writeDeadline.context()
		switch {
		case c.closed.Load():
			return sent, c.opError("write", net.ErrClosed)
		case ctx.Err() != nil:
			return sent, c.opError("write", os.ErrDeadlineExceeded)
		case sent == len(p):
			return sent, nil
		}
		size := len(p) - sent
		if c.messageSize > 0 {
			size = min(size, c.messageSize)
		}
		if err := c.conn.Send(ctx, ws.Binary(p[sent:sent+size])); err != nil {
			return sent, c.explain("write", ctx, err)
		}
		if sent += size; sent == len(p) {
			return sent, nil
		}
	}
}

// explain turns an error of the Conn into one that a net.Conn returns.
func (c *netConn) explain(op string, ctx context.Context, err error) error {
	closed, ended := errors.AsType[*errors.ConnectionClosed](err)
	switch {
	case c.closed.Load():
		err = net.ErrClosed
	case ended && op == "read" && closed.Remote && closed.Reason == errors.NormalClosure:
		return io.EOF
	case !ended && ctx.Err() != nil:
		err = os.ErrDeadlineExceeded
	}
	return c.opError(op, err)
}

func (c *netConn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: network, Source: c.local, Addr: c.remote, Err: err}
}

// Close implements [net.Conn]. It sends the written bytes and closes with 1000
// (normal closure). A Read or Write that waits returns [net.ErrClosed]. Close
// waits for the peer's answer, at most CloseTimeout; if none comes, the
// error is a [*errors.ConnectionClosed].
func (c *netConn) Close() error {
	if c.closed.Swap(true) {
		return c.opError("close", net.ErrClosed)
	}
	c.readDeadline.stop()
	c.writeDeadline.stop()
	if err := c.conn.Close(errors.NormalClosure, ""); err != nil {
		return c.opError("close", err)
	}
	return nil
}

// LocalAddr implements [net.Conn].
func (c *netConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements [net.Conn].
func (c *netConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements [net.Conn].
func (c *netConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements [net.Conn].
func (c *netConn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.readDeadline, t) }

// SetWriteDeadline implements [net.Conn].
func (c *netConn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writeDeadline, t) }

func (c *netConn) setDeadline(d *deadline, t time.Time) error {
	if c.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	d.set(t)
	return nil
}

const network = "websocket"

// address is the address of an end whose network address is not known.
type address struct{}

func (address) Network() string { return network }

func (address) String() string { return network }
