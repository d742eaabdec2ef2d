package enginetest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// plenty keeps everything that a case publishes.
var plenty = hub.Keep{Messages: 10_000, Age: time.Hour, IDs: time.Minute}

// publish publishes text, and checks the Position.
func (b *bench) publish(machine int, topic, text string, keep hub.Keep) hub.Position {
	b.Helper()
	return b.publishEntry(machine, topic, &hub.Entry{Message: ws.Text(text)}, keep)
}

func (b *bench) publishEntry(machine int, topic string, e *hub.Entry, keep hub.Keep) hub.Position {
	b.Helper()
	p, err := b.engines[machine].Publish(b.ctx, topic, e, keep)
	if err != nil {
		b.Fatalf("Publish %q: %v", topic, err)
	}
	if p.IsZero() {
		b.Fatalf("Publish %q returned the zero Position", topic)
	}
	if q, err := hub.ParsePosition(p.String()); err != nil || q != p {
		b.Fatalf("Publish %q returned a Position whose text cannot be parsed: %v", topic, err)
	}
	return p
}

// since returns all entries that the engine stores after a position, read in pages.
func (b *bench) since(machine int, topic string, after hub.Position, limit int) (all []*hub.Entry, top hub.Position) {
	b.Helper()
	for {
		page, t, err := b.engines[machine].Since(b.ctx, topic, after, limit)
		if err != nil {
			b.Fatalf("Since %q: %v", topic, err)
		}
		if t.IsZero() {
			b.Fatalf("Since %q: top is the zero Position", topic)
		}
		if len(page) > limit {
			b.Fatalf("Since %q: %d entries, the limit is %d", topic, len(page), limit)
		}
		if len(page) == 0 {
			return all, t
		}
		all = append(all, page...)
		after = page[len(page)-1].Position
	}
}

// settle waits until every machine returns n entries of a topic.
func (b *bench) settle(topic string, n int) []*hub.Entry {
	b.Helper()
	var all []*hub.Entry
	for machine := range b.engines {
		b.eventually(fmt.Sprintf("machine %d has %d entries of %q", machine, n, topic), func() bool {
			all, _ = b.since(machine, topic, hub.Position{}, 100)
			return len(all) == n
		})
	}
	return all
}

// eventually waits for a condition.
func (b *bench) eventually(what string, condition func() bool) {
	b.Helper()
	for end := time.Now().Add(b.patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("not so within %v: %s", b.patience, what)
		}
	}
}

// listener is a Subscriber that records its calls.
type listener struct {
	top hub.Position
	sub hub.Subscription

	mu       sync.Mutex
	entries  []*hub.Entry
	doubts   int
	presence []hub.Presence
	inside   bool
	overlaps int
}

func (b *bench) listen(machine int, topic string) *listener {
	b.Helper()
	l := &listener{}
	sub, top, err := b.engines[machine].Subscribe(b.ctx, topic, l)
	if err != nil {
		b.Fatalf("Subscribe %q: %v", topic, err)
	}
	if top.IsZero() {
		b.Fatalf("Subscribe %q: top is the zero Position", topic)
	}
	l.sub, l.top = sub, top
	b.Cleanup(sub.Cancel)
	return l
}

// enter records a call, and checks that no other is under way.
func (l *listener) enter(note func()) {
	l.mu.Lock()
	if l.inside {
		l.overlaps++
	}
	l.inside = true
	note()
	l.mu.Unlock()
	l.mu.Lock() // a second caller may get the lock in between
	l.inside = false
	l.mu.Unlock()
}

func (l *listener) Deliver(e *hub.Entry) { l.enter(func() { l.entries = append(l.entries, e) }) }

func (l *listener) Doubt() { l.enter(func() { l.doubts++ }) }

func (l *listener) Present(p hub.Presence) {
	l.enter(func() { l.presence = append(l.presence, p) })
}

// got returns the texts that have arrived.
func (l *listener) got() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var texts []string
	for _, e := range l.entries {
		texts = append(texts, e.Message.String())
	}
	return strings.Join(texts, " ")
}

// sees reports whether l would know of all entries until last: it got last, or Doubt was
// called.
func (l *listener) sees(last hub.Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.doubts > 0 {
		return true
	}
	for _, e := range l.entries {
		if e.Position == last {
			return true
		}
	}
	return false
}

// check compares the entries that l got with those of the topic.
func (l *listener) check(b *bench, all []*hub.Entry) {
	b.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.overlaps > 0 {
		b.Errorf("a Subscriber was called %d times while it was being called", l.overlaps)
	}
	known := make(map[hub.Position]*hub.Entry)
	for _, e := range all {
		known[e.Position] = e
	}
	for _, e := range l.entries {
		stored := known[e.Position]
		switch {
		case stored == nil:
			b.Errorf("delivered %q at %v, which is not in history", e.Message, e.Position)
		case stored.Prev != e.Prev:
			b.Errorf("delivered %q with Prev %v, history has %v", e.Message, e.Prev, stored.Prev)
		case stored.Message.String() != e.Message.String():
			b.Errorf("delivered %q, history has %q", e.Message, stored.Message)
		}
	}
}

// chained checks that entries follow each other from a position.
func (b *bench) chained(from hub.Position, all []*hub.Entry) {
	b.Helper()
	for i, e := range all {
		if e.Prev != from {
			b.Fatalf("entry %d, %q: Prev is %v, and the entry before it is at %v", i, e.Message, e.Prev, from)
		}
		if i > 0 && (e.Position.Epoch() != from.Epoch() || e.Position.Offset() <= from.Offset()) {
			b.Fatalf("entry %d, %q: its Position %v is not after %v", i, e.Message, e.Position, from)
		}
		from = e.Position
	}
}

func texts(all []*hub.Entry) string {
	var s []string
	for _, e := range all {
		s = append(s, e.Message.String())
	}
	return strings.Join(s, " ")
}
