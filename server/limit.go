//go:build !js

package server

import (
	"log/slog"
	"maps"
	"sync"

	"github.com/isosocket/isosocket/internal/stream"
)

// Limit names a limit of an [Endpoint], in logs and statistics.
type Limit string

// The limits of an endpoint and of an address. Each refuses handshakes unless its comment
// says otherwise.
const (
	// LimitConnections is Limits.MaxConnections.
	LimitConnections Limit = "connections"
	// LimitMemory is Limits.MaxMemory.
	LimitMemory Limit = "memory"
	// LimitCompression is three quarters of Limits.MaxMemory. It refuses compression, but
	// not the handshake.
	LimitCompression Limit = "compression"
	// LimitConnectionsPerAddress is Limits.MaxConnectionsPerAddress.
	LimitConnectionsPerAddress Limit = "connections_per_address"
	// LimitHandshakeRate is Limits.HandshakeRate.
	LimitHandshakeRate Limit = "handshake_rate"
)

// The limits of one connection. Each ends a connection that reaches it unless its comment
// says otherwise.
const (
	// LimitMessageSize is Options.MaxMessageSize.
	LimitMessageSize Limit = "message_size"
	// LimitFragments is Options.MaxFragments.
	LimitFragments Limit = "fragments"
	// LimitMessageRate is Limits.MessageRate. Without CloseAboveRate it is counted each
	// time that the connection is not read for a moment.
	LimitMessageRate Limit = "message_rate"
	// LimitByteRate is Limits.ByteRate, and counted as LimitMessageRate is.
	LimitByteRate Limit = "byte_rate"
	// LimitIdle is Limits.IdleTimeout.
	LimitIdle Limit = "idle"
	// LimitLifetime is Limits.MaxLifetime.
	LimitLifetime Limit = "lifetime"
)

// limitOf returns the Limit that a connection has exceeded.
var limitOf = [...]Limit{
	stream.LimitMessageSize: LimitMessageSize,
	stream.LimitFragments:   LimitFragments,
	stream.LimitMessageRate: LimitMessageRate,
	stream.LimitByteRate:    LimitByteRate,
	stream.LimitIdle:        LimitIdle,
}

// limits counts how often each limit of an endpoint was reached. The zero value is ready to
// use, and safe for concurrent use.
type limits struct {
	mu      sync.Mutex
	reached map[Limit]uint64
}

// struck counts that a limit was reached.
func (l *limits) struck(limit Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reached == nil {
		l.reached = make(map[Limit]uint64)
	}
	l.reached[limit]++
}

// counts returns how often each limit was reached. It omits limits that were not reached.
func (l *limits) counts() map[Limit]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := make(map[Limit]uint64, len(l.reached))
	maps.Copy(counts, l.reached)
	return counts
}

// limitStruck is called for every limit that is reached: by conn, or if conn is nil, by a
// request, which is then refused or accepted without compression.
func (e *Endpoint) limitStruck(limit Limit, conn *Conn, remote, path string) {
	e.limits.struck(limit)
	e.limitObserved(limit, conn, remote, path)
	if l := e.acceptor.Logger; l != nil {
		l.Debug("websocket: limit reached", slog.String("limit", string(limit)), slog.String("remote", remote), slog.String("path", path))
	}
}

// LimitStruck implements [stream.LimitObserver].
func (c *connContext) LimitStruck(limit stream.Limit) {
	conn := c.conn
	conn.endpoint.limitStruck(limitOf[limit], conn, conn.RemoteAddr(), conn.URL().Path)
}
