package ws

import (
	"context"
	"sync"
	"sync/atomic"
)

// Prepared is a message for many connections. What a connection does to a
// message before it goes out, framing and compressing it, is done once for all
// connections that do it alike, instead of once for each. [Prepare] makes one.
// It may be sent by many goroutines at the same time, any number of times.
type Prepared struct {
	message Message

	forms atomic.Pointer[[]preparedForm]
	mu    sync.Mutex // held by whoever makes a form
}

type preparedForm struct {
	key  any
	data []byte
}

// Prepare returns m as a message for many connections. m.Data may not be
// changed as long as the Prepared is in use.
func Prepare(m Message) *Prepared { return &Prepared{message: m} }

// Message returns the message itself.
func (p *Prepared) Message() Message { return p.message }

// PreparedForm returns the bytes that stand for p's message under key, which
// make returns when they are asked for first. It is for Transports: the key
// says all that make's outcome depends on. The bytes are shared and may not be
// changed.
func PreparedForm[K comparable](p *Prepared, key K, make func(Message) []byte) []byte {
	if data, ok := findForm(p, key); ok {
		return data
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if data, ok := findForm(p, key); ok {
		return data
	}
	var forms []preparedForm
	if old := p.forms.Load(); old != nil {
		forms = append(forms, *old...)
	}
	forms = append(forms, preparedForm{key, make(p.message)})
	p.forms.Store(&forms)
	return forms[len(forms)-1].data
}

// findForm looks without a lock and allocates nothing: there are few forms, and
// many who look.
func findForm[K comparable](p *Prepared, key K) ([]byte, bool) {
	if forms := p.forms.Load(); forms != nil {
		for _, f := range *forms {
			if k, ok := f.key.(K); ok && k == key {
				return f.data, true
			}
		}
	}
	return nil, false
}

// PreparedSender is what a [Transport] implements that can send a [Prepared]
// for less than its message. SendPrepared is Send in all else.
type PreparedSender interface {
	SendPrepared(ctx context.Context, p *Prepared) error
}

// TryPreparedSender is [PreparedSender] for a transport that can say at once
// that there is no room, with [errors.ErrWouldBlock].
type TryPreparedSender interface {
	TrySendPrepared(p *Prepared) error
}

// SendPrepared is [Conn.Send] of a message that goes to many connections. A
// server's connections share the work of framing and compressing it; a client
// masks each frame differently (RFC 6455, section 5.3), and a browser does all
// that itself, so there it is no more than Send.
//
// On a server it does not wait for the write: goroutines write to the connections
// while the caller goes on to the next one. But above the high-water mark it waits
// for room, as Send does, and one connection that reads nothing then delays all that
// come after it. Use [Conn.TrySendPrepared] to send to many connections in a loop.
//
// Compressed, the message stands alone: it does not refer to messages before
// it, and a context that is taken over begins anew behind it.
func (c *Conn) SendPrepared(ctx context.Context, p *Prepared) error {
	sender, ok := c.transport.(PreparedSender)
	if !ok {
		return c.Send(ctx, p.message)
	}
	if err := c.maySend(p.check(c.maxMessage)); err != nil {
		return err
	}
	if err := sender.SendPrepared(ctx, p); err != nil {
		return c.explain(ctx, "send", err)
	}
	return nil
}

// TrySendPrepared is [Conn.SendPrepared] that never waits, as [Conn.TrySend]: a
// broadcast then goes on where one of its connections takes nothing. What
// becomes of that connection is the program's choice: to leave this message out,
// or to close it.
//
//	for _, conn := range room {
//		if err := conn.TrySendPrepared(p); errors.Is(err, errors.ErrWouldBlock) {
//			go conn.Close(errors.TryAgainLater, "too slow")
//		}
//	}
func (c *Conn) TrySendPrepared(p *Prepared) error {
	sender, ok := c.transport.(TryPreparedSender)
	if !ok {
		return c.TrySend(p.message)
	}
	if err := c.maySend(p.check(c.maxMessage)); err != nil {
		return err
	}
	return c.explainTry(sender.TrySendPrepared(p))
}

type checked struct{}

// check is Message.Check with the data looked at once.
func (p *Prepared) check(maxSize int) error {
	if _, ok := findForm(p, checked{}); ok && (maxSize <= 0 || len(p.message.Data) <= maxSize) {
		return nil
	}
	if err := p.message.Check(maxSize); err != nil {
		return err
	}
	PreparedForm(p, checked{}, func(Message) []byte { return nil })
	return nil
}
