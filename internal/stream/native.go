//go:build !js

package stream

import (
	"crypto/tls"
	"net"

	"github.com/isosocket/isosocket/ws/driver"
)

var (
	_ driver.Addresser   = (*Transport)(nil)
	_ driver.TLSReporter = (*Transport)(nil)
)

// LocalAddr implements driver.Addresser.
func (t *Transport) LocalAddr() net.Addr {
	if conn, ok := t.rwc.(net.Conn); ok {
		return conn.LocalAddr()
	}
	return nil
}

// RemoteAddr implements driver.Addresser.
func (t *Transport) RemoteAddr() net.Addr {
	if conn, ok := t.rwc.(net.Conn); ok {
		return conn.RemoteAddr()
	}
	return nil
}

// TLS implements driver.TLSReporter.
func (t *Transport) TLS() *tls.ConnectionState {
	conn, ok := t.rwc.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil
	}
	state := conn.ConnectionState()
	return &state
}
