package hub

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// maxKey is how many bytes a key or an ID may have.
	maxKey = 255
	// maxInfo is how many bytes JoinOptions.Info may have.
	maxInfo = 4 << 10
)

// presence holds the keys that members here make present in a topic, and the watchers.
type presence struct {
	mu   sync.Mutex // may be held when the engine is called
	here map[string]*person

	watchMu  sync.Mutex
	watchers map[*watcher]struct{}
	closed   bool
}

// person is a key of JoinOptions.
type person struct {
	members int
	info    string
	grace   *time.Timer // not nil while there are no members
}

func (h *Hub) checkPresence(key string, info []byte) error {
	switch {
	case len(key) > maxKey:
		return &LimitError{"the length of JoinOptions.Key", maxKey, len(key)}
	case len(info) > maxInfo:
		return &LimitError{"the length of JoinOptions.Info", maxInfo, len(info)}
	case !utf8.ValidString(key):
		return &optionError{"JoinOptions.Key", "is not UTF-8"}
	case key == "" && len(info) > 0:
		return &optionError{"JoinOptions.Info", "is set without a Key"}
	}
	return nil
}

// arrive announces that m is present.
func (t *topic) arrive(m *Membership, info []byte) {
	p := &t.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	// end sets left and then waits for p.mu.
	if m.ended() {
		return
	}
	m.arrived = true
	who := p.here[m.key]
	known := who != nil
	if !known {
		who = &person{}
		if p.here == nil {
			p.here = make(map[string]*person)
		}
		p.here[m.key] = who
	}
	who.members++
	if who.grace != nil {
		if who.grace.Stop() {
			t.hub.release(t)
		}
		who.grace = nil
	}
	if !known || who.info != string(info) {
		who.info = string(info)
		t.sub.Announce(Presence{m.key, info, true})
	}
}

// setInfo announces new info of m.
func (t *topic) setInfo(m *Membership, info []byte) {
	p := &t.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.here[m.key]
	if !m.arrived || m.ended() || who == nil || who.info == string(info) {
		return
	}
	who.info = string(info)
	t.sub.Announce(Presence{m.key, info, true})
}

// depart announces that m is no longer present, after a grace period if its connection was lost.
func (t *topic) depart(m *Membership, lost bool) {
	p := &t.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	if !m.arrived {
		return
	}
	m.arrived = false
	who := p.here[m.key]
	if who == nil { // the topic was closed
		return
	}
	who.members--
	switch {
	case who.members > 0:
	case !lost || t.hub.grace < 0 || !t.hub.retain(t):
		t.gone(m.key, who)
	default:
		var grace *time.Timer
		key := m.key
		grace = time.AfterFunc(t.hub.grace, func() {
			t.endGrace(key, who, &grace)
			t.hub.release(t)
		})
		who.grace = grace
	}
}

// endGrace announces that who is gone, because it has not returned.
func (t *topic) endGrace(key string, who *person, grace **time.Timer) {
	p := &t.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.here[key] == who && who.grace == *grace {
		t.gone(key, who)
	}
}

// gone announces that a key is no longer present. presence.mu is held.
func (t *topic) gone(key string, who *person) {
	delete(t.presence.here, key)
	t.sub.Announce(Presence{key, []byte(who.info), false})
}

// retain acquires a topic that is in use once more, unless the Hub is closed.
func (h *Hub) retain(t *topic) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	t.refs++
	return true
}

// close stops all timers and ends all watchers.
func (p *presence) close() {
	p.mu.Lock()
	for _, who := range p.here {
		if who.grace != nil {
			who.grace.Stop()
		}
	}
	p.here = nil
	p.mu.Unlock()
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	for w := range p.watchers {
		w.end()
	}
	p.watchers, p.closed = nil, true
}

// Present returns who is present in a topic, on all machines, in order of their keys.
func (h *Hub) Present(ctx context.Context, topic string) ([]Presence, error) {
	if err := h.checkTopic(topic); err != nil {
		return nil, err
	}
	if h.ctx.Err() != nil {
		return nil, ErrClosed
	}
	all, err := h.engine.Present(ctx, topic)
	if err != nil {
		return nil, &topicError{topic, err}
	}
	slices.SortFunc(all, func(a, b Presence) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// WatchPresence returns an iterator over who is present in a topic, and then over the
// changes, until ctx ends; its error, or any other, comes last. A key whose Info changes is
// yielded again. Changes of one key that a slow loop has not taken yet become one. A watch
// makes no key present.
func (h *Hub) WatchPresence(ctx context.Context, topic string) iter.Seq2[Presence, error] {
	return func(yield func(Presence, error) bool) {
		stopped := false
		err := h.FollowPresence(ctx, topic, func(changes []Presence) bool {
			for _, p := range changes {
				if !yield(p, nil) {
					stopped = true
					return false
				}
			}
			return true
		})
		if !stopped {
			yield(Presence{}, err)
		}
	}
}

// FollowPresence is [Hub.WatchPresence] for a function: its first call gets all who are
// present, possibly none, and each later one what has changed since. It is called by the
// goroutine of FollowPresence, which returns nil when the function returns false, and
// otherwise the error that ended it.
func (h *Hub) FollowPresence(ctx context.Context, topic string, f func(changes []Presence) bool) error {
	if err := h.checkTopic(topic); err != nil {
		return err
	}
	t, err := h.acquire(ctx, topic)
	if err != nil {
		return err
	}
	defer h.release(t)
	w := &watcher{wake: make(chan struct{}, 1), changes: make(map[string]Presence)}
	if !t.presence.watch(w) {
		return ErrClosed
	}
	defer t.presence.unwatch(w)
	first, err := h.Present(ctx, topic)
	if err != nil {
		return err
	}
	known := make(map[string]string)
	for _, p := range first {
		known[p.Key] = string(p.Info)
	}
	if !f(first) {
		return nil
	}
	for {
		changes, ended := w.take()
		changes = slices.DeleteFunc(changes, func(p Presence) bool {
			info, here := known[p.Key]
			switch {
			case here == p.Here && (!here || info == string(p.Info)):
				return true
			case p.Here:
				known[p.Key] = string(p.Info)
			default:
				delete(known, p.Key)
			}
			return false
		})
		if len(changes) > 0 && !f(changes) {
			return nil
		}
		if ended {
			return ErrClosed
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watcher is a FollowPresence under way.
type watcher struct {
	wake chan struct{} // one element at most

	mu      sync.Mutex
	changes map[string]Presence
	order   []string // the keys of changes, in the order of their first change
	ended   bool
}

// Present implements Subscriber.
func (t *topic) Present(p Presence) {
	t.presence.watchMu.Lock()
	defer t.presence.watchMu.Unlock()
	for w := range t.presence.watchers {
		w.put(p)
	}
}

// watch reports false if the topic is closed.
func (p *presence) watch(w *watcher) bool {
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	if p.closed {
		return false
	}
	if p.watchers == nil {
		p.watchers = make(map[*watcher]struct{})
	}
	p.watchers[w] = struct{}{}
	return true
}

func (p *presence) unwatch(w *watcher) {
	p.watchMu.Lock()
	defer p.watchMu.Unlock()
	delete(p.watchers, w)
}

func (w *watcher) put(p Presence) {
	w.mu.Lock()
	if _, ok := w.changes[p.Key]; !ok {
		w.order = append(w.order, p.Key)
	}
	w.changes[p.Key] = p
	w.mu.Unlock()
	w.signal()
}

func (w *watcher) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.signal()
}

func (w *watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// take returns the changes since the last take, and whether they are the last.
func (w *watcher) take() (changes []Presence, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range w.order {
		changes = append(changes, w.changes[key])
	}
	clear(w.changes)
	w.order = w.order[:0]
	return changes, w.ended
}
