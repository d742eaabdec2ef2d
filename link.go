package isosocket

import (
	"context"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// confirmAfter is how long a message waits before its arrival is asked for, so
// that one heartbeat confirms many.
const confirmAfter = 100 * time.Millisecond

// link is one connection of a Client's, from behind OnConnect to its end. Its
// fields are guarded by the Client's mu, but those that never change.
type link struct {
	conn   *ws.Conn
	ctx    context.Context // ends with the link
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	tracked     bool // whether unconfirmed is kept
	window      int  // bytes that may be unconfirmed
	unconfirmed queue
	asking      chan struct{} // holds one wish to have what is unconfirmed confirmed
	urgent      chan struct{} // holds one wish not to wait with that
	over        bool          // what was unconfirmed has been reported
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

// wish puts a value into c, which holds one, unless there is one already.
func wish(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// confirm has what was sent confirmed, again and again, until the link ends.
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

// drain sends what waits in the outbox until the link ends.
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
			c.waiting.pushFront(m) // it waited for room: nothing of it went out
		default:
			c.mu.Unlock()
			c.lose([]ws.Message{m}, errors.ErrNotSent, err)
			c.mu.Lock()
		}
		c.wake()
	}
}
