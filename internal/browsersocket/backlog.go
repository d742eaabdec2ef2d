//go:build js

package browsersocket

import (
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jsontext"
)

const (
	// defaultReceiveBuffer is ReceiveBuffer in a browser.
	defaultReceiveBuffer = 16 << 20
	// checkInterval is how often the size of what waits is looked at.
	checkInterval = time.Second / 4
)

// backlog knows how much of the queue was looked at, so that nothing is
// measured twice.
type backlog struct {
	due     atomic.Bool // a check is
	counted int         // messages at the front of the queue,
	size    int         // and their bytes
}

// taken is told which messages have left the queue.
func (l *backlog) taken(batch []jsontext.Event, more bool) {
	if l.counted == 0 {
		return
	}
	if l.counted -= len(batch); l.counted <= 0 || !more {
		l.counted, l.size = 0, 0
		return
	}
	for _, e := range batch {
		l.size -= len(e.Text) + e.Size
	}
}

// checkLater sees to it that a queue which nobody empties is looked at.
func (b *inbound) checkLater(s *socket) {
	if !b.over.Load() && !b.backlog.due.Swap(true) {
		time.AfterFunc(checkInterval, func() { b.check(s) })
	}
}

// check ends the connection if more than ReceiveBuffer waits. One message
// alone may be larger.
func (b *inbound) check(s *socket) {
	b.mu.Lock()
	b.backlog.due.Store(false)
	if !b.pending.Load() || b.dropped || b.over.Load() {
		b.mu.Unlock()
		return
	}
	err := b.measure()
	n, size := b.backlog.counted, b.backlog.size
	for _, e := range b.batch[b.next:] {
		n++
		size += len(e.Text) + e.Size
	}
	b.checkLater(s)
	b.mu.Unlock()
	limit := s.config.ReceiveBuffer
	if limit <= 0 {
		limit = defaultReceiveBuffer
	}
	switch {
	case err != nil:
		s.Fail(&errors.ConnectionClosed{Reason: errors.InternalError, Message: "cannot read messages", Err: err})
	case size > limit && n > 1:
		s.Fail(&errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: "receive buffer full"})
	}
}

// measure adds what was queued since to the backlog. b.mu is held.
func (b *inbound) measure() error {
	fresh, err := b.queue.Call("slice", b.backlog.counted)
	if err != nil {
		return err
	}
	text, err := b.text(b.stringify.Invoke(fresh, b.fields))
	if err != nil {
		return err
	}
	events, err := jsontext.AppendEvents(nil, text)
	for _, e := range events {
		b.backlog.size += len(e.Text) + e.Size
	}
	b.backlog.counted += len(events)
	return err
}
