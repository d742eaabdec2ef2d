package stream

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// DefaultReceiveBuffer is how many bytes of messages a background reader
// queues before it stops reading: 256 KiB.
const DefaultReceiveBuffer = 256 << 10

// DefaultPingTimeout is how long a pinged peer may stay silent: 20 seconds.
const DefaultPingTimeout = 20 * time.Second

// Options describe a connection after its handshake.
type Options struct {
	// Role is the role of this end.
	Role rfc6455.Role
	// Config holds the limits as the user gave them; the zero value has the
	// defaults of ws.Config, and DefaultReceiveBuffer.
	Config ws.Config
	// MaxFragments is the most frames that one incoming message may be split into. A
	// message of more ends the connection with code 1008. Zero means
	// rfc6455.DefaultMaxFragments, a negative number no limit.
	MaxFragments int
	// Limits bound the rate at which the peer may send.
	Limits Limits
	// Deflate holds the negotiated compression parameters, nil for no compression.
	Deflate *rfc6455.DeflateParams
	// DeflatePolicy selects the messages to compress, and how.
	DeflatePolicy rfc6455.DeflatePolicy
	// PingInterval is how often the peer is pinged. Zero or less means never.
	PingInterval time.Duration
	// PingTimeout is how long the peer may take to answer a ping. The peer is given up
	// if it sent nothing, and took none of the queued output, for PingInterval and
	// PingTimeout together. It is also given up if it took none of the queued output for
	// that long, whatever it sends. Zero means DefaultPingTimeout.
	PingTimeout time.Duration
	// EndsWith, if not nil, is a context that ends when the connection does, or before a
	// call of Interrupt. Reads need not watch it, which saves about 500 bytes for each idle
	// connection. New does not use it. It may be a LimitObserver.
	EndsWith context.Context
	// Flushers write broadcasts. The connections of an endpoint share them. If nil,
	// each connection that receives a broadcast starts a goroutine of its own.
	Flushers *Flushers
	// Traffic, if not nil, counts what the connection carries. It must not be shared.
	Traffic *Traffic
	// Prefix holds bytes from the peer that were already read. New takes it over.
	Prefix []byte
}
