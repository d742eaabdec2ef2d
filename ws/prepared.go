package ws

import (
	"context"
	"sync/atomic"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// Prepared is a message for many connections. It is framed and compressed once for
// all connections with the same parameters, instead of once for each. [Prepare]
// returns one. It may be sent by many goroutines at the same time, any number of
// times.
type Prepared struct {
	prepared driver.Prepared

	valid atomic.Bool // Check has been done, except for the size
}

// Prepare returns m as a message for many connections. m.Data may not be
// changed as long as the Prepared is in use.
func Prepare(m Message) *Prepared {
	p := new(Prepared)
	p.prepared.Prepare(driver.Message(m))
	return p
}

// Message returns the message itself.
func (p *Prepared) Message() Message { return Message(p.prepared.Message()) }

// SendPrepared is [Conn.Send] of a message that goes to many connections. A
// server's connections share the work of framing and compressing it; a client
// masks each frame differently (RFC 6455, section 5.3), and a browser frames messages
// itself, so on clients SendPrepared does the same as Send.
//
// On a server it does not wait for the write: other goroutines write to the connections
// while the caller continues with the next one. But above the high-water mark it waits
// for space, as Send does, and one connection that reads nothing then delays all
// connections after it. Use [Conn.TrySendPrepared] to send to many connections in a
// loop.
//
// A compressed prepared message does not refer to earlier messages, and with context
// takeover a new context starts after it.
func (c *Conn) SendPrepared(ctx context.Context, p *Prepared) error {
	sender, ok := c.transport.(driver.PreparedSender)
	if !ok {
		return c.Send(ctx, p.Message())
	}
	if err := c.maySend(p.check(c.maxMessage)); err != nil {
		return err
	}
	if c.streams.busy() {
		if err := c.awaitTurn(ctx, "SendPrepared", "send"); err != nil {
			return err
		}
	}
	if err := sender.SendPrepared(ctx, &p.prepared); err != nil {
		return c.explain(ctx, "send", err)
	}
	return nil
}

// TrySendPrepared is like [Conn.SendPrepared], but never waits, as [Conn.TrySend]: a
// broadcast then continues when one of its connections accepts nothing. The program
// decides what to do with that connection: skip this message, or close it.
//
//	for _, conn := range room {
//		if err := conn.TrySendPrepared(p); errors.Is(err, errors.ErrWouldBlock) {
//			go conn.Close(errors.TryAgainLater, "too slow")
//		}
//	}
func (c *Conn) TrySendPrepared(p *Prepared) error {
	sender, ok := c.transport.(driver.TryPreparedSender)
	if !ok {
		return c.TrySend(p.Message())
	}
	if err := c.maySend(p.check(c.maxMessage)); err != nil {
		return err
	}
	if c.streams.busy() {
		return errors.ErrWouldBlock
	}
	return c.explainTry(sender.TrySendPrepared(&p.prepared))
}

// check is like Message.Check, but checks the data only once.
func (p *Prepared) check(maxSize int) error {
	m := p.Message()
	if p.valid.Load() && (maxSize <= 0 || len(m.Data) <= maxSize) {
		return nil
	}
	err := m.Check(maxSize)
	if err == nil {
		p.valid.Store(true)
	}
	return err
}
