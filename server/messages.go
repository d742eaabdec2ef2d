//go:build !js

package server

import (
	"context"

	"github.com/isosocket/isosocket/ws"
)

// Messages is like [Handler] for connections that only react to messages: it receives them,
// and calls handle with one at a time for each connection, in their order. ctx and the
// outcome of an error are those of a Handler's function; nil continues with the next
// message. A message's data belongs to handle, unless Options.ReuseMessages is set. handle may send and wait; no other message
// of the connection is handled until it returns. It should not receive.
//
// With Options.Detach, on Linux, a connection that was silent for about a second holds no
// goroutine, and so half the memory of a Handler's. One goroutine waits for the next
// messages of all such connections. The first message after a silence takes about 10
// microseconds longer. On other systems, over TLS, and without Detach, a goroutine waits
// for each connection, and the behaviour is the same.
//
// handle is first called with the connection's first message. To act when a connection
// begins or ends, use [Observer]; to send when one begins, use Handler.
func Messages(handle func(ctx context.Context, conn *Conn, m ws.Message) error, o *Options) *Endpoint {
	e := Handler(func(ctx context.Context, conn *Conn) error {
		waiting := ctx
		if conn.endpoint.acceptor.parks != nil {
			waiting = (*waitContext)(ctx.(*connContext)) // recognized by the transport
		}
		in := conn.incoming()
		for {
			m, err := in.receive(waiting)
			if err != nil {
				return err
			}
			if err := handle(ctx, conn, m); err != nil {
				return err
			}
		}
	}, o)
	if e.acceptor.Detach {
		e.acceptor.parks = &parking{handle: handle, interval: parkingInterval}
	}
	return e
}

// largestReused is the largest buffer, in bytes, that is kept for the next message.
const largestReused = 64 << 10

// incoming receives the messages of a connection of an endpoint made by Messages.
type incoming struct {
	conn   *Conn
	reuse  bool
	buffer []byte
}

func (c *Conn) incoming() incoming {
	return incoming{conn: c, reuse: c.endpoint.acceptor.ReuseMessages}
}

func (in *incoming) receive(ctx context.Context) (ws.Message, error) {
	if !in.reuse {
		return in.conn.Receive(ctx)
	}
	m, err := in.conn.ReceiveInto(ctx, in.buffer)
	if cap(m.Data) > cap(in.buffer) && cap(m.Data) <= largestReused {
		in.buffer = m.Data
	}
	return m, err
}
