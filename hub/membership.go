package hub

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/ws"
)

// Membership is a connection's membership in a topic. [Hub.Join] makes one. All methods
// may be called by many goroutines at the same time.
type Membership struct {
	peer   *peer
	name   string
	format *Format
	key    string

	left  atomic.Bool
	topic atomic.Pointer[topic] // nil before it was added

	// Guarded by the topic's mu.
	index  int       // in the topic's members, -1 if it is not there
	behind *behind   // not nil while it catches up, or is paused
	paused bool      // nothing catches up for it
	ahead  *Position // the last entry from history that will still arrive live, nil for none

	arrived bool // guarded by the topic's presence
}

// ended reports whether the membership has ended.
func (m *Membership) ended() bool { return m.left.Load() }

// Topic returns the topic's name.
func (m *Membership) Topic() string { return m.name }

// Position returns the position of the last message that was queued for the connection, or
// skipped for it: a Join with it in JoinOptions.Since continues from there. It is the zero
// Position before the first one of a Join with JoinOptions.Oldest.
func (m *Membership) Position() Position {
	t := m.topic.Load()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case m.behind != nil:
		return m.behind.position
	case m.ahead != nil:
		return *m.ahead
	}
	return t.position
}

// Leave ends the membership. After it has returned, nothing more is sent for it; messages
// queued before are still sent. Its presence ends at once.
func (m *Membership) Leave() { m.end(false) }

// end ends the membership. lost reports whether the connection has ended.
func (m *Membership) end(lost bool) {
	if !m.left.CompareAndSwap(false, true) {
		return
	}
	m.peer.remove(m)
	t := m.topic.Load()
	if t == nil || !t.remove(m) {
		return
	}
	t.depart(m, lost)
	if trace := t.hub.trace.Left; trace != nil {
		trace(t.name)
	}
	t.hub.release(t)
}

// PublishToOthers is [Hub.Publish] to all members but those of this connection.
func (m *Membership) PublishToOthers(ctx context.Context, msg ws.Message, o *PublishOptions) (Position, error) {
	if m.ended() {
		return Position{}, ErrLeft
	}
	h := m.peer.hub
	return h.publish(ctx, m.name, msg, o, h.except(m.peer))
}

// Pause stops sending messages to the member until Resume. Unlike Leave it keeps the
// member's presence. Messages queued before are still sent. In a topic with [Latest] the
// member is one that reads slowly: it gets the newest message of each key afterwards.
func (m *Membership) Pause() {
	if t := m.topic.Load(); t != nil {
		t.pause(m)
	}
}

// Resume ends a Pause, and continues after a position, as a Join with JoinOptions.Since.
// The zero Position means the one at which the member paused. Without a Pause, Resume does
// nothing.
func (m *Membership) Resume(since Position) {
	t := m.topic.Load()
	if t == nil {
		return
	}
	if b := t.resume(m, since); b != nil {
		m.peer.hub.later(b, 0)
	}
}

// pause makes m a member that is behind, and does not catch up. What catches up for m at the
// time notices that m.behind is another one.
func (t *topic) pause(m *Membership) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.index < 0 || m.paused {
		return
	}
	b := &behind{member: m, position: t.position, recovers: true}
	switch {
	case m.behind != nil: // b takes its place, also among those that wait for the latest
		b.position, b.oldest, b.told = m.behind.position, m.behind.oldest, m.behind.told
		b.latest, b.after = m.behind.latest, m.behind.after
	case m.ahead != nil:
		b.position = *m.ahead
	case t.rules.Slow == Latest:
		t.awaitLatest(b)
	}
	m.behind, m.ahead, m.paused = b, nil, true
}

// resume returns the behind of m, which is to catch up, nil for none.
func (t *topic) resume(m *Membership, since Position) *behind {
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.index < 0 || !m.paused {
		return nil
	}
	b := m.behind
	m.paused = false
	if !since.IsZero() && since != b.position {
		t.stopWaiting(m)
		b.position, b.oldest, b.told, b.latest = since, false, Position{}, false
	}
	b.began = time.Now()
	return b
}

// SetInfo replaces JoinOptions.Info and announces it. It copies the data. Without a
// JoinOptions.Key it returns an error.
func (m *Membership) SetInfo(info []byte) error {
	h := m.peer.hub
	if m.key == "" {
		return &optionError{"JoinOptions.Key", "is empty, so that there is no info to set"}
	}
	if err := h.checkPresence(m.key, info); err != nil {
		return err
	}
	if m.ended() {
		return ErrLeft
	}
	m.topic.Load().setInfo(m, slices.Clone(info))
	return nil
}
