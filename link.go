package isosocket

import (
	"context"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/wsurl"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// confirmAfter is how long the Client waits after a message before it asks for
// confirmation. One heartbeat then confirms many messages.
const confirmAfter = 100 * time.Millisecond

// link is one connection of a Client, from its OnConnect to its end. Its fields are
// guarded by the Client's mu, except those that never change. This file has the methods
// of Client that work on one link; client.go has those that users call, and the loop
// from one link to the next.
type link struct {
	conn   *ws.Conn
	ctx    context.Context // ends with the link
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	tracked     bool // whether unconfirmed is kept
	window      int  // bytes that may be unconfirmed
	unconfirmed queue
	asking      chan struct{} // holds one signal to ask for confirmation
	urgent      chan struct{} // holds one signal to ask without a delay
	over        bool          // unconfirmed messages have been reported
}

func newLink(ctx context.Context, conn *ws.Conn, tracked bool, window int) *link {
	l := &link{conn: conn, tracked: tracked, window: window, asking: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	return l
}

// usable reports whether a message may be sent now.
func (l *link) usable() bool {
	return l != nil && !l.over && l.conn.Err() == nil && (!l.tracked || l.unconfirmed.bytes < l.window)
}

// track remembers a message that was sent, and owns its memory.
func (l *link) track(m ws.Message) {
	l.unconfirmed.push(m)
	wish(l.asking)
	if l.unconfirmed.bytes >= l.window/2 {
		wish(l.urgent)
	}
}

// wish sends a signal on c, unless c already holds one.
func wish(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// serve uses conn until it ends. An error ends the Client.
func (c *Client) serve(conn *ws.Conn) error {
	c.mu.Lock()
	c.conn = conn
	closing := c.closing
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.conn = nil
		c.mu.Unlock()
	}()
	if closing != nil {
		conn.Close(closing.Reason, closing.Message)
		return nil
	}
	if err := c.greet(conn); err != nil {
		if conn.Err() != nil || c.ctx.Err() != nil {
			return nil // the loop decides by the error that ended the connection
		}
		if !c.redialer.Retry(err) {
			return err
		}
		c.mu.Lock()
		c.failed = err
		c.mu.Unlock()
		return nil
	}
	l := newLink(c.ctx, conn, c.onLost != nil && c.config.Heartbeat != nil, c.config.SendBuffer)
	if l.tracked {
		l.tasks.Go(func() { c.confirm(l) })
	}
	if c.outbox != nil {
		l.tasks.Go(func() { c.drain(l) })
	}
	state := c.State()
	c.setState(State{Phase: Connected, Attempts: state.Attempts})
	c.mu.Lock()
	c.link = l
	c.wake()
	c.mu.Unlock()
	c.pump(l)
	c.down(l)
	return nil
}

// greet calls OnConnect before the connection is used for anything else.
func (c *Client) greet(conn *ws.Conn) error {
	if c.onConnect == nil {
		return nil
	}
	ctx, cancel := c.redialer.Dial.withHandshakeTimeout(c.ctx)
	defer cancel()
	err := c.onConnect(ctx, conn)
	if err != nil && ctx.Err() != nil {
		// The peer was too slow; this counts like a handshake that was not finished.
		return &errors.ConnectionError{URL: wsurl.Redact(c.redialer.url), Err: err}
	}
	return err
}

// pump moves messages to the inbox until the connection or the Client has ended and
// all messages of the connection have been moved.
func (c *Client) pump(l *link) {
	for {
		for c.inbox.Bytes() >= c.inboxLimit && l.conn.Err() == nil {
			select {
			case <-c.room:
			case <-l.conn.Done():
			case <-c.ctx.Done():
				return
			}
		}
		m, err := l.conn.Receive(c.ctx)
		if err != nil {
			return
		}
		for l.conn.Err() != nil && c.inbox.Bytes() > max(0, c.maxUnread-len(m.Data)) {
			if _, ok, _ := c.inbox.Pull(); ok {
				c.dropped.Add(1)
			}
		}
		c.inbox.Push(driver.Message(m))
	}
}

// down stops the use of a link that has ended, and reports its unconfirmed messages. The
// peer's answer to a close confirms nothing: the peer may have closed at the same time,
// and dropped messages that it had not received.
func (c *Client) down(l *link) {
	c.mu.Lock()
	c.link = nil
	c.wake()
	c.mu.Unlock()
	l.cancel()
	l.tasks.Wait()
	if c.ctx.Err() != nil {
		l.conn.Close(errors.GoingAway, "")
	}
	c.mu.Lock()
	l.over = true
	lost := l.unconfirmed.clear()
	c.mu.Unlock()
	c.lose(lost, errors.ErrUnconfirmed, l.conn.Err())
}

// confirm repeatedly asks for confirmation of the sent messages, until the link ends.
func (c *Client) confirm(l *link) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.asking:
		case <-l.ctx.Done():
			return
		}
		timer.Reset(confirmAfter)
		select {
		case <-timer.C:
		case <-l.urgent:
		case <-l.ctx.Done():
			return
		}
		c.mu.Lock()
		n := len(l.unconfirmed.messages)
		c.mu.Unlock()
		if n == 0 {
			continue
		}
		if l.conn.Confirm(l.ctx) != nil {
			return
		}
		c.mu.Lock()
		if !l.over {
			for range n {
				l.unconfirmed.pop()
			}
			if len(l.unconfirmed.messages) > 0 {
				wish(l.asking)
			}
			c.wake()
		}
		c.mu.Unlock()
	}
}

// drain sends the messages in the outbox until the link ends.
func (c *Client) drain(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.waiting.messages) == 0 || !l.usable() || c.closing != nil {
			changed := c.changed
			c.mu.Unlock()
			select {
			case <-changed:
			case <-l.ctx.Done():
			}
			c.mu.Lock()
			if l.ctx.Err() != nil {
				return
			}
		}
		m := c.waiting.pop()
		c.draining = true
		c.mu.Unlock()
		err := l.conn.Send(l.ctx, m)
		c.mu.Lock()
		c.draining = false
		_, ended := errors.AsType[*errors.ConnectionClosed](err)
		switch {
		case err == nil && !l.tracked:
		case err == nil:
			l.track(m)
		case ended:
			c.mu.Unlock()
			c.lose([]ws.Message{m}, errors.ErrUnconfirmed, err)
			c.mu.Lock()
		case l.ctx.Err() != nil:
			c.waiting.pushFront(m) // it waited for space: nothing of it was sent
			c.wake()
			return
		default:
			c.mu.Unlock()
			c.lose([]ws.Message{m}, errors.ErrNotSent, err)
			c.mu.Lock()
		}
		c.wake()
	}
}

// settle waits until the messages that were sent on l are confirmed, or cannot be any
// more.
func (c *Client) settle(l *link) {
	if l == nil || !l.tracked {
		return
	}
	timer := time.NewTimer(c.config.CloseTimeout / 2)
	defer timer.Stop()
	for {
		c.mu.Lock()
		changed, settled := c.changed, len(l.unconfirmed.messages) == 0
		c.mu.Unlock()
		if settled {
			return
		}
		wish(l.asking)
		wish(l.urgent)
		select {
		case <-changed:
		case <-l.conn.Done():
			return
		case <-timer.C:
			return
		}
	}
}
