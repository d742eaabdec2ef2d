//go:build !js

package server

import (
	"io"
	"net"
	"net/netip"
	"sync"
)

// Listener returns a listener that accepts the connections of l. It closes those that
// exceed the limits of their address at once, before it reads from them. That costs the
// server much less than refusing a handshake. It also bounds the connections of an address
// that send their request slowly, or never.
//
// Of o it uses MaxConnectionsPerAddress, for connections before their WebSocket handshake
// and those of other requests; HandshakeRate, for new connections a second; and
// TrustedProxies, whose connections are not limited. The Endpoint counts connections after
// their handshake by its own Limits. Name other proxies, too, or use larger numbers: all
// clients behind a proxy share its address, and the listener cannot send them a reason when
// it closes their connections. o may be nil. If something in it is invalid, the error names
// it.
//
// For TLS, wrap the result with [crypto/tls.NewListener].
func Listener(l net.Listener, o *Limits) (net.Listener, error) {
	limiter, err := newLimiter(o)
	if err != nil {
		return nil, err
	}
	return &limitedListener{Listener: l, limiter: limiter}, nil
}

type limitedListener struct {
	net.Listener
	limiter *limiter
	clients addresses
}

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		a, ok := l.enter(conn)
		switch {
		case ok && a == nil:
			return conn, nil
		case ok:
			return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { l.clients.leave(a) })}, nil
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0) // the system keeps no state of it
		}
		conn.Close()
	}
}

// enter counts conn, and reports whether it is accepted. a is nil if it is not limited.
func (l *limitedListener) enter(conn net.Conn) (a *address, ok bool) {
	var addr netip.Addr
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		addr = plain(tcp.AddrPort().Addr())
	} else {
		addr, _ = parseNode(conn.RemoteAddr().String())
	}
	if !addr.IsValid() || l.limiter.proxies.trusts(addr) {
		return nil, true
	}
	limits := l.limiter.remote.address
	if addr.IsLoopback() {
		limits = l.limiter.local.address
	}
	if limits == (addressLimits{}) {
		return nil, true
	}
	a, reached, _ := l.clients.enter(counted(addr), limits)
	return a, reached == ""
}

// limitedConn is a connection that a Listener counts until it is closed or upgraded.
type limitedConn struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// CloseWrite lets net/http end a connection gracefully.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// ReadFrom lets net/http send files without a copy.
func (c *limitedConn) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// upgraded removes a connection from the counts of its Listener, because its Endpoint
// counts it from here on. It returns the connection that the underlying listener accepted.
func upgraded(conn net.Conn) net.Conn {
	if c, ok := conn.(*limitedConn); ok {
		c.leave()
		return c.Conn
	}
	return conn
}
