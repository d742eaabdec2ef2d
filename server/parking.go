//go:build !js

package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/stream"
	"github.com/isosocket/isosocket/ws"
)

// parkingInterval is how often an endpoint looks for silent connections. A connection is
// parked after a whole interval without a message, so after 0.5 to 1 second.
const parkingInterval = 500 * time.Millisecond

// parking is the state that the connections of an endpoint made by Messages share. A
// connection has a goroutine while messages arrive. When none has arrived for a while, it
// is parked: the goroutine ends, and the poller starts another one when data arrives.
type parking struct {
	handle   func(ctx context.Context, conn *Conn, m ws.Message) error
	interval time.Duration // parkingInterval, but in tests
	poller   stream.Poller

	mu     sync.Mutex
	active map[*messageLoop]struct{} // loops with a goroutine
	timer  *time.Timer               // runs look while active is not empty
}

// messageLoop receives the messages of one connection.
type messageLoop struct {
	endpoint *Endpoint
	ticket   ticket
	ctx      *connContext
	conn     *Conn
	began    time.Time
	entry    stream.PollEntry

	state    atomic.Int32
	messages atomic.Uint32 // received
	seen     uint32        // messages at the last look; guarded by parking.mu
}

// The states of a messageLoop.
const (
	loopWorks  int32 = iota // its goroutine runs, and does not wait for a message
	loopWaits               // its goroutine waits for a message
	loopParked              // it has no goroutine
)

// waitContext is the context in which a messageLoop receives: the connection's context,
// which also ends when the loop is to be parked.
type waitContext connContext

func (c *waitContext) whole() *connContext         { return (*connContext)(c) }
func (c *waitContext) Deadline() (time.Time, bool) { return c.whole().Deadline() }
func (c *waitContext) Done() <-chan struct{}       { return c.whole().Done() }

// Value has no values while the loop is to be parked: context.Cause would otherwise create a
// context of the standard library for every connection that parks.
func (c *waitContext) Value(key any) any {
	if c.silent.Load() && c.whole().cause() == nil {
		return nil
	}
	return c.whole().Value(key)
}

// Err does not ask a context that the standard library made, which ends after its cause is set.
func (c *waitContext) Err() error {
	if c.silent.Load() || c.whole().cause() != nil {
		return context.Canceled
	}
	return nil
}

// runLoop serves a connection of an endpoint made by Messages.
func (e *Endpoint) runLoop(t ticket, ctx *connContext, conn *Conn) {
	l := &messageLoop{endpoint: e, ticket: t, ctx: ctx, conn: conn, began: time.Now()}
	l.entry = stream.PollEntry{Transport: ctx.transport, Readable: l.wake}
	if err := e.acceptor.parks.poller.Add(&l.entry); err != nil {
		e.run(t, ctx, conn)
		return
	}
	ctx.loop.Store(l)
	ctx.transport.Ending().Notify(l.wake)
	e.acceptor.parks.activate(l)
	l.serve(ws.Message{}, false, nil)
}

// wake starts a goroutine for a parked loop. It does nothing if the loop runs.
func (l *messageLoop) wake() {
	if l.state.CompareAndSwap(loopParked, loopWorks) {
		go l.resume()
	}
}

func (l *messageLoop) resume() {
	l.ctx.transport.Unpark()
	l.ctx.silent.Store(false)
	// The data is often a pong, after which the loop can be parked again at once.
	m, ok, err := l.conn.TryReceive()
	if !ok && err == nil && l.ctx.cause() == nil && l.park() {
		return
	}
	l.endpoint.acceptor.parks.activate(l)
	l.serve(m, ok, err)
}

// serve handles m, if received, and then receives until the loop is parked or its connection
// ends, which it has if there is an err.
func (l *messageLoop) serve(m ws.Message, received bool, err error) {
	parked := false
	reason, message := errors.InternalError, "internal error"
	failure := errNotReturned
	defer func() {
		if !parked {
			l.end(reason, message, failure)
		}
	}()
	defer func() {
		if v := recover(); v != nil {
			failure = l.endpoint.panicked(l.ctx, l.conn, v)
		}
	}()
	parks := l.endpoint.acceptor.parks
	in := l.conn.incoming()
	for err == nil {
		if received {
			l.messages.Add(1)
			if err = parks.handle(l.ctx, l.conn, m); err != nil {
				break
			}
		}
		l.state.Store(loopWaits)
		m, err = in.receive((*waitContext)(l.ctx))
		l.state.Store(loopWorks)
		received = err == nil
		if !received && l.ctx.silent.Load() && l.ctx.cause() == nil {
			l.ctx.silent.Store(false)
			err = nil
			parks.deactivate(l)
			if parked = l.park(); parked {
				return
			}
			parks.activate(l)
		}
	}
	reason, message, failure = l.endpoint.outcome(l.ctx, l.conn, err)
}

// park parks the loop. It reports false if the loop has work to do instead.
func (l *messageLoop) park() bool {
	tried := false
	parked := l.endpoint.acceptor.parks.poller.Park(&l.entry, func() {
		tried = true
		l.state.Store(loopParked)
	})
	if parked {
		// An end before the state was set has not woken the loop.
		if l.ctx.cause() != nil {
			l.wake()
		}
		return true
	}
	// If the system refused, and something has woken the loop since, another goroutine runs it.
	return tried && !l.state.CompareAndSwap(loopParked, loopWorks)
}

// end ends the connection after its last message.
func (l *messageLoop) end(reason errors.CloseReason, message string, failure error) {
	defer l.ticket.done()
	parks := l.endpoint.acceptor.parks
	parks.deactivate(l)
	l.conn.Close(reason, message)
	parks.poller.Remove(&l.entry)
	l.ticket.ended(l.ctx, l.began, failure)
}

// activate adds l to the active loops.
func (p *parking) activate(l *messageLoop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active == nil {
		p.active = make(map[*messageLoop]struct{})
	}
	l.seen = l.messages.Load() - 1 // the first look finds a change
	p.active[l] = struct{}{}
	if len(p.active) > 1 {
		return
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(p.interval, p.look)
	} else {
		p.timer.Reset(p.interval)
	}
}

func (p *parking) deactivate(l *messageLoop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.active, l)
	if len(p.active) == 0 {
		p.timer.Stop()
	}
}

// look asks the loops that have been silent since its last call to park.
func (p *parking) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.active {
		n := l.messages.Load()
		if n == l.seen && l.state.Load() == loopWaits {
			l.ctx.silent.Store(true)
			l.ctx.transport.Interrupt()
		}
		l.seen = n
	}
	if len(p.active) > 0 {
		p.timer.Reset(p.interval)
	}
}
