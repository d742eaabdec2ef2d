package stream

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// DefaultReceiveBuffer is how many bytes of messages a background reader
// queues before it leaves the rest to TCP: 256 KiB.
const DefaultReceiveBuffer = 256 << 10

// DefaultPingTimeout is how long a pinged peer may stay silent: 20 seconds.
const DefaultPingTimeout = 20 * time.Second

// Options describe a connection whose handshake is done.
type Options struct {
	// Role is the side that this end plays.
	Role rfc6455.Role
	// Config holds the limits as the user gave them; the zero value has the
	// defaults of ws.Config, and DefaultReceiveBuffer.
	Config ws.Config
	// MaxFragments is the most frames that one incoming message may be split into. A
	// message of more ends the connection with code 1008. Zero means
	// rfc6455.DefaultMaxFragments, a negative number no limit.
	MaxFragments int
	// Limits are what the peer may send.
	Limits Limits
	// Deflate is what the handshake agreed on, nil for no compression.
	Deflate *rfc6455.DeflateParams
	// DeflatePolicy says what to compress and how.
	DeflatePolicy rfc6455.DeflatePolicy
	// PingInterval is how often the peer is pinged. Zero or less means never.
	PingInterval time.Duration
	// PingTimeout is how long the peer may take to answer a ping. It is given up when
	// nothing came from it, and it took nothing of what waits to be sent, for
	// PingInterval and PingTimeout together; and when it took nothing for that long,
	// whatever it sends. Zero means DefaultPingTimeout.
	PingTimeout time.Duration
	// EndsWith, if not nil, is a context that ends when the connection does, or before a
	// call of Interrupt. Reads need not watch it, which saves each idle connection some
	// 500 bytes. New does not look into it. It may be a LimitObserver.
	EndsWith context.Context
	// Flushers write broadcasts; the connections of an endpoint share them. With
	// nil there is a goroutine for each connection that a broadcast goes to.
	Flushers *Flushers
	// Traffic, if not nil, counts what the connection carries. It must not be shared.
	Traffic *Traffic
	// Prefix holds bytes from the peer that were already read. New takes it over.
	Prefix []byte
}
