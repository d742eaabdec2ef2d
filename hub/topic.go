package hub

import (
	"slices"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
)

// topic is a topic that has members here, or watchers of its presence.
//
// The order of locks: an engine's, mu. Neither mu nor Hub.mu is held when an engine is
// called.
type topic struct {
	hub   *Hub
	name  string
	rules Rules
	keep  Keep
	refs  int // members, watchers and graces; guarded by Hub.mu

	opened chan struct{} // closed when err and sub are set
	err    error
	sub    Subscription

	mu        sync.Mutex
	live      bool     // position is known
	closed    bool     // no more deliveries
	early     []*Entry // arrived before live
	doubted   bool     // Doubt was called before live
	position  Position // of the last entry that was delivered, or lost
	past      []string // epochs that position has left, the last one at the end
	members   []*Membership
	repairing bool
	doubt     bool     // ask again, regardless of arrivals
	arrived   []*Entry // some entries that arrived with others missing before them
	latest    *latest

	presence presence
}

// maxEarly is how many entries wait until a topic is open, or repaired.
const maxEarly = 256

// maxPast is how many past epochs are remembered.
const maxPast = 8

func newTopic(h *Hub, name string, rules Rules) *topic {
	return &topic{hub: h, name: name, rules: rules, keep: rules.keep(), opened: make(chan struct{})}
}

// open subscribes.
func (t *topic) open() {
	defer t.hub.work.Done()
	sub, top, err := t.hub.engine.Subscribe(t.hub.ctx, t.name, t)
	if err != nil {
		t.err = &topicError{t.name, err}
		close(t.opened)
		return
	}
	t.mu.Lock()
	t.position, t.live = top, true
	early := t.early
	t.early = nil
	for _, e := range early {
		t.take(e)
	}
	if t.doubted {
		t.doubt = true
		t.repair()
	}
	closed := t.closed
	t.sub = sub
	t.mu.Unlock()
	close(t.opened)
	if closed {
		sub.Cancel()
	}
}

// failed reports whether the topic could not be opened.
func (t *topic) failed() bool {
	select {
	case <-t.opened:
		return t.err != nil
	default:
		return false
	}
}

// close ends everything.
func (t *topic) close() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.closed = true
	sub := t.sub // nil: open cancels the subscription
	for _, m := range t.members {
		m.left.Store(true)
		m.index = -1
	}
	t.hub.stats.members.Add(-int64(len(t.members)))
	t.members, t.latest, t.early, t.arrived = nil, nil, nil, nil
	t.mu.Unlock()
	t.presence.close()
	if sub != nil {
		sub.Cancel()
	}
}

// add makes m a member. It returns a behind that is to catch up, nil for none.
func (t *topic) add(m *Membership, o *JoinOptions) (*behind, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m.topic.Store(t)
	// end sets left and then looks at topic: at least one of the two goroutines sees the
	// other's store.
	if m.ended() || t.closed {
		if err := m.peer.conn.Err(); err != nil {
			return nil, err
		}
		return nil, ErrClosed
	}
	m.index = len(t.members)
	t.members = append(t.members, m)
	t.hub.stats.members.Add(1)
	live := o.Since.IsZero() && !o.Oldest
	if live && !o.Paused {
		return nil, nil
	}
	m.behind = &behind{member: m, position: o.Since, oldest: o.Oldest, recovers: true, began: time.Now()}
	if live {
		m.behind.position = t.position
	}
	if m.paused = o.Paused; m.paused {
		return nil, nil
	}
	return m.behind, nil
}

// remove removes m, and reports whether it was there.
func (t *topic) remove(m *Membership) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.index < 0 {
		return false
	}
	last := len(t.members) - 1
	t.members[m.index] = t.members[last]
	t.members[m.index].index = m.index
	t.members[last] = nil
	t.members = t.members[:last]
	if cap(t.members) > 64 && len(t.members) < cap(t.members)/4 {
		t.members = append(make([]*Membership, 0, 2*len(t.members)), t.members...)
	}
	m.index = -1
	t.stopWaiting(m)
	t.hub.stats.members.Add(-1)
	return true
}

// Deliver implements Subscriber.
func (t *topic) Deliver(e *Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
	case t.live:
		t.take(e)
	case len(t.early) < maxEarly:
		t.early = append(t.early, e)
	default:
		t.doubted = true
	}
}

// Doubt implements Subscriber.
func (t *topic) Doubt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live && !t.closed {
		t.doubt = true
		t.repair()
	} else {
		t.doubted = true
	}
}

// take delivers e if it is the next entry, and starts a repair if it is a later one. mu is
// held.
func (t *topic) take(e *Entry) {
	switch {
	case e.Position.notAfter(t.position): // once more
	case e.Prev == t.position, t.keep.Messages == 0 && e.Prev.IsZero():
		t.fanOut(e)
	case slices.Contains(t.past, e.Position.epoch):
		// It is late, and was reported as lost, unless the storage of that epoch is back.
		t.doubt = true
		t.repair()
	case t.keep.Messages == 0: // no history to repair it from
		t.lost(&Gap{Topic: t.name, After: t.position, Until: e.Prev})
		t.fanOut(e)
	default:
		if len(t.arrived) == maxEarly { // history has it, too
			t.arrived = t.arrived[1:]
		}
		t.arrived = append(t.arrived, e)
		t.repair()
	}
}

// moveTo sets position. mu is held.
func (t *topic) moveTo(p Position) {
	if left := t.position.epoch; p.epoch != left {
		t.past = slices.DeleteFunc(t.past, func(epoch string) bool { return epoch == p.epoch })
		t.past = append(t.past[max(0, len(t.past)+1-maxPast):], left)
	}
	t.position = p
}

// takeArrived delivers those of arrived that are next. mu is held.
func (t *topic) takeArrived() {
	for again := true; again; {
		again = false
		rest := t.arrived[:0]
		for _, e := range t.arrived {
			switch {
			case e.Position.notAfter(t.position), slices.Contains(t.past, e.Position.epoch):
			case e.Prev == t.position:
				t.fanOut(e)
				again = true
			default:
				rest = append(rest, e)
			}
		}
		clear(t.arrived[len(rest):])
		t.arrived = rest
	}
	if len(t.arrived) == 0 {
		t.arrived = nil
	}
}

// fanOut sends e to all members but those that catch up. mu is held.
func (t *topic) fanOut(e *Entry) {
	var began time.Time
	if t.hub.trace.Delivered != nil {
		began = time.Now()
	}
	except := t.hub.excepted(e)
	var form *encoded
	sent := 0
	for _, m := range t.members {
		if m.behind != nil {
			continue
		}
		if m.ahead != nil {
			if e.Position.notAfter(*m.ahead) {
				continue
			}
			m.ahead = nil
		}
		if except != 0 && m.peer.number == except {
			continue
		}
		if form == nil || form.format != m.format {
			form = e.in(t.name, m.format)
		}
		err := m.peer.trySend(form.prepared, form.size)
		switch {
		case err == nil:
			sent++
		case m.peer.conn.Err() != nil: // it is about to be removed
		case errors.Is(err, errors.ErrWouldBlock):
			t.tooSlow(m)
		default: // it refuses the message
			t.tell(m, &Gap{Topic: t.name, After: t.position, Until: e.Position, Err: err})
		}
	}
	if t.latest != nil {
		t.latest.add(e)
	}
	t.moveTo(e.Position)
	t.hub.stats.delivered.Add(uint64(sent))
	if t.hub.trace.Delivered != nil {
		t.hub.trace.Delivered(t.name, sent, time.Since(began))
	}
}

// lost reports a gap to all members but those that catch up, and continues after it. mu is
// held.
func (t *topic) lost(g *Gap) {
	for _, m := range t.members {
		switch {
		case m.behind != nil:
			if m.behind.latest { // history knows of the gap, if anything does
				t.stopWaiting(m)
				m.behind.latest = false
			}
		case m.ahead == nil:
			t.tell(m, g)
		case g.Until.notAfter(*m.ahead): // it has them
		default:
			rest := *g
			rest.After = *m.ahead
			m.ahead = nil
			t.tell(m, &rest)
		}
	}
	if !g.Until.IsZero() {
		t.moveTo(g.Until)
	}
}

// tell reports a gap to m. mu is held.
func (t *topic) tell(m *Membership, g *Gap) {
	if errors.Is(t.sendGap(m, g), errors.ErrWouldBlock) {
		t.fallBehind(m, g.After, false) // it then finds the gap again
	}
}

// sendGap sends m the message for a gap, or closes its connection. mu is held.
func (t *topic) sendGap(m *Membership, g *Gap) error {
	if m.format == nil || m.format.Gap == nil {
		t.sawGap(g)
		m.peer.lostMessages()
		return m.peer.conn.Err()
	}
	msg := m.format.Gap(t.name, g)
	err := m.peer.trySendOnce(msg)
	switch {
	case err == nil:
		t.sawGap(g)
	case !errors.Is(err, errors.ErrWouldBlock) && m.peer.conn.Err() == nil: // it refuses the message for the gap, too
		t.sawGap(g)
		m.peer.lostMessages()
	}
	return err
}

func (t *topic) sawGap(g *Gap) {
	t.hub.stats.gaps.Add(1)
	if t.hub.trace.Gap != nil {
		t.hub.trace.Gap(g)
	}
}

// tooSlow applies the rules to a slow member. mu is held.
func (t *topic) tooSlow(m *Membership) {
	t.hub.stats.slow.Add(1)
	if t.hub.trace.Slow != nil {
		t.hub.trace.Slow(t.name, t.rules.Slow)
	}
	// Without history, and without a message for a gap, catching up could only end so.
	hopeless := t.rules.Slow == CatchUp && t.keep.Messages == 0 && (m.format == nil || m.format.Gap == nil)
	if t.rules.Slow == Disconnect || hopeless {
		m.peer.tooSlow()
		return
	}
	t.fallBehind(m, t.position, t.rules.Slow == Latest)
}

// fallBehind makes m catch up from a position. mu is held.
func (t *topic) fallBehind(m *Membership, from Position, latest bool) {
	b := &behind{member: m, position: from, began: time.Now()}
	if latest {
		t.awaitLatest(b)
	}
	m.behind = b
	t.hub.later(b, firstWait)
}

// awaitLatest makes b one that waits for the newest entry of each key. mu is held.
func (t *topic) awaitLatest(b *behind) {
	if t.latest == nil {
		t.latest = newLatest(t.hub.limits.Keys)
	}
	b.latest, b.after = true, t.latest.number
	t.latest.waiting++
}

// stopWaiting removes m from the members that wait for the latest. mu is held.
func (t *topic) stopWaiting(m *Membership) {
	if m.behind == nil || !m.behind.latest {
		return
	}
	if t.latest.waiting--; t.latest.waiting == 0 {
		t.latest = nil
	}
}

var _ Subscriber = (*topic)(nil)
