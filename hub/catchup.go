package hub

import (
	"context"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
)

const (
	// firstWait and maxWait bound the time between two looks at whether a slow member has
	// read. The Hub polls, because not every type of connection could report it.
	firstWait = 5 * time.Millisecond
	maxWait   = 100 * time.Millisecond
	// looks is how often the Hub looks which members are due.
	looks = 5 * time.Millisecond
	// atOnce is how many members catch up at the same time, because an engine may be slow.
	atOnce = 16
)

// behind is the state of a member that is not sent live messages, until it has caught up.
// Its fields but due and wait are guarded by the topic's mu.
type behind struct {
	member   *Membership
	position Position // the last message that it got
	oldest   bool     // begin with the oldest, regardless of position
	told     Position // the message before which a gap was reported
	latest   bool     // continue from topic.latest
	after    uint64   // the number in topic.latest of the last message that it got, or does not need
	recovers bool     // it began at an earlier position, so that Limits.Recovery applies
	messages int      // that it got meanwhile
	began    time.Time

	due  time.Time // guarded by catchUps.mu
	wait time.Duration
}

// catchUps are the members that catch up, with a goroutine for all of them while there are
// any.
type catchUps struct {
	mu      sync.Mutex
	all     map[*behind]struct{} // including those in progress
	queue   []*behind
	running bool
}

// later schedules b.
func (h *Hub) later(b *behind, wait time.Duration) {
	c := &h.catchUps
	c.mu.Lock()
	if c.all == nil {
		c.all = make(map[*behind]struct{})
	}
	c.all[b] = struct{}{}
	b.wait, b.due = wait, time.Now().Add(wait)
	c.queue = append(c.queue, b)
	start := !c.running
	c.running = true
	c.mu.Unlock()
	if !start {
		return
	}
	if !h.begin() {
		return
	}
	go h.runCatchUps()
}

// done removes b.
func (c *catchUps) done(b *behind) {
	c.mu.Lock()
	delete(c.all, b)
	c.mu.Unlock()
}

// lag returns how many members are behind, and since when the first of them.
func (c *catchUps) lag() (n int, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for b := range c.all {
		if since.IsZero() || b.began.Before(since) {
			since = b.began
		}
	}
	return len(c.all), since
}

// take moves those that are due to due, and reports false, for good, if there are none at
// all.
func (c *catchUps) take(due []*behind) ([]*behind, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	rest := c.queue[:0]
	for _, b := range c.queue {
		if b.due.After(now) {
			rest = append(rest, b)
		} else {
			due = append(due, b)
		}
	}
	clear(c.queue[len(rest):])
	c.queue = rest
	c.running = len(c.all) > 0
	return due, c.running
}

func (h *Hub) runCatchUps() {
	defer h.work.Done()
	slots := make(chan struct{}, atOnce)
	var due []*behind
	for {
		var some bool
		if due, some = h.catchUps.take(due[:0]); !some {
			return
		}
		for _, b := range due {
			select {
			case slots <- struct{}{}:
			case <-h.ctx.Done():
				return
			}
			if !h.begin() {
				return
			}
			go func() {
				defer h.work.Done()
				defer func() { <-slots }()
				h.catchUp(h.ctx, b)
			}()
		}
		if !h.sleep(looks) {
			return
		}
	}
}

// catchUp sends a member the messages that it has missed, as far as it has read, and
// schedules it again unless it is done. One goroutine at a time does this for a member.
func (h *Hub) catchUp(ctx context.Context, b *behind) {
	m := b.member
	t := m.topic.Load()
	done, progress := false, false
	if m.peer.hasRead() {
		done, progress = t.catchUp(ctx, b)
	} else {
		done = m.ended()
	}
	switch {
	case done || h.ctx.Err() != nil:
		h.catchUps.done(b)
	case progress:
		h.later(b, firstWait)
	default:
		h.later(b, min(max(2*b.wait, firstWait), maxWait))
	}
}

// catchUp sends b's member the messages that it has missed, as far as its connection accepts them.
func (t *topic) catchUp(ctx context.Context, b *behind) (done, progress bool) {
	before := b.messages
	for {
		page, state := t.begin(b)
		if state != stepOn {
			return state == stepDone, b.messages > before
		}
		entries, top, err := t.hub.since(ctx, t.name, page, sincePage)
		if err != nil {
			t.hub.failed(t.name, err)
			return false, b.messages > before
		}
		if state = t.bring(b, entries, top); state != stepOn {
			return state == stepDone, b.messages > before
		}
	}
}

// step is how a member that catches up continues.
type step uint8

const (
	stepOn    step = iota // at once
	stepLater             // when the member has read, or the engine knows more
	stepDone              // it is up to date, or no member any more
)

// begin does the part that needs no history, and returns the position after which history
// is needed.
func (t *topic) begin(b *behind) (after Position, _ step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := b.member
	switch {
	case m.index < 0, m.behind != b:
		return Position{}, stepDone
	case b.latest:
		return Position{}, t.bringLatest(b)
	case b.oldest:
		return Position{}, stepOn
	case t.position == b.position || t.position.notAfter(b.position):
		return Position{}, t.caughtUp(b)
	}
	return b.position, stepOn
}

// caughtUp makes b's member one that is sent live messages. mu is held.
func (t *topic) caughtUp(b *behind) step {
	m := b.member
	t.stopWaiting(m)
	m.behind = nil
	if b.position != t.position {
		m.ahead = &b.position
	}
	if t.hub.trace.CaughtUp != nil {
		t.hub.trace.CaughtUp(t.name, b.messages, time.Since(b.began))
	}
	t.hub.stats.caughtUp.Add(1)
	return stepDone
}

// bring sends b's member entries of history.
func (t *topic) bring(b *behind, entries []*Entry, top Position) step {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := b.member
	if m.index < 0 || m.behind != b {
		return stepDone
	}
	for _, e := range entries {
		if b.recovers && b.messages >= t.hub.limits.Recovery {
			return t.skip(b, top)
		}
		if !b.oldest && e.Prev != b.position && b.told != e.Position {
			if next := t.bringGap(b, &Gap{Topic: t.name, After: b.position, Until: e.Prev}); next != stepOn {
				return next
			}
			b.told = e.Position
		}
		if next := t.bringEntry(b, e); next != stepOn {
			return next
		}
		b.oldest, b.position = false, e.Position
	}
	switch {
	case len(entries) > 0:
		return stepOn
	case b.oldest:
		b.oldest, b.position = false, top
		return stepOn
	case top == b.position || top.notAfter(b.position):
		if t.position == b.position || t.position.notAfter(b.position) {
			return t.caughtUp(b)
		}
		return stepLater // history lacks entries that arrived live
	}
	if next := t.bringGap(b, &Gap{Topic: t.name, After: b.position, Until: top}); next != stepOn {
		return next
	}
	b.position = top
	return stepOn
}

// skip reports everything after b's position as a gap. top is the newest position that is
// known from history. mu is held.
func (t *topic) skip(b *behind, top Position) step {
	if !t.position.notAfter(top) {
		top = t.position
	}
	if next := t.bringGap(b, &Gap{Topic: t.name, After: b.position, Until: top}); next != stepOn {
		return next
	}
	b.position = top
	return t.caughtUp(b)
}

// bringEntry sends b's member e unless it is not for it. mu is held.
func (t *topic) bringEntry(b *behind, e *Entry) step {
	m := b.member
	if t.hub.excepted(e) == m.peer.number {
		return stepOn
	}
	form := e.in(t.name, m.format)
	err := m.peer.trySend(form.prepared, form.size)
	switch {
	case err == nil:
		b.messages++
		t.hub.stats.delivered.Add(1)
		t.hub.stats.recovered.Add(1)
		return stepOn
	case errors.Is(err, errors.ErrWouldBlock):
		return stepLater
	case m.peer.conn.Err() != nil:
		return stepDone
	}
	return t.bringGap(b, &Gap{Topic: t.name, After: b.position, Until: e.Position, Err: err})
}

// bringGap reports a gap to b's member. mu is held.
func (t *topic) bringGap(b *behind, g *Gap) step {
	err := t.sendGap(b.member, g)
	switch {
	case err == nil:
		return stepOn
	case errors.Is(err, errors.ErrWouldBlock):
		return stepLater
	}
	return stepDone
}
