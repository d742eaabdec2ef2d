//go:build !js

package handshake

import (
	"io"
	"net"
	"time"
)

// Inert is the connection that coder/websocket gets instead of the real one.
// Reads return io.EOF, writes are discarded, and Close does nothing.
type Inert struct{}

var _ net.Conn = Inert{}

// Read returns [io.EOF].
func (Inert) Read([]byte) (int, error) { return 0, io.EOF }

// Write discards p.
func (Inert) Write(p []byte) (int, error) { return len(p), nil }

// Close does nothing.
func (Inert) Close() error { return nil }

// LocalAddr returns an address without meaning.
func (Inert) LocalAddr() net.Addr { return &net.UnixAddr{} }

// RemoteAddr returns an address without meaning.
func (Inert) RemoteAddr() net.Addr { return &net.UnixAddr{} }

// SetDeadline does nothing.
func (Inert) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (Inert) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (Inert) SetWriteDeadline(time.Time) error { return nil }
