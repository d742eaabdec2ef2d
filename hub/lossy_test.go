package hub_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
)

// lossy is an engine with an unreliable network in front of a Memory: it loses, repeats,
// delays and reorders entries, its history may be late, its calls fail, and its storage may
// be replaced by an empty one.
type lossy struct {
	t *testing.T

	mu     sync.Mutex
	random *rand.Rand
	memory *hub.Memory
	subs   map[*lossySub]struct{}
	faults faults
	log    map[string][]*hub.Entry // all publications, in order
	logged map[string]bool         // topics for which memory reports to log

	// storage is held during a publication, and while memory is replaced, so that log has
	// earlier publications first.
	storage sync.RWMutex
	logging sync.Mutex // held while a logger subscribes
}

// faults are the rates of failures, in percent.
type faults struct {
	lose, repeat, hold, fail, stale int
}

func newLossy(t *testing.T, random *rand.Rand, f faults) *lossy {
	l := &lossy{t: t, random: random, subs: make(map[*lossySub]struct{}), faults: f, log: make(map[string][]*hub.Entry)}
	l.replace()
	return l
}

// percent reports true with this probability.
func (l *lossy) percent(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(100) < n
}

// replace begins with empty storage.
func (l *lossy) replace() {
	m, err := hub.NewMemory(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	l.storage.Lock()
	l.mu.Lock()
	old := l.memory
	l.memory, l.logged = m, make(map[string]bool)
	var subs []*lossySub
	for s := range l.subs {
		subs = append(subs, s)
	}
	l.mu.Unlock()
	if old != nil {
		old.Close(context.Background())
	}
	l.storage.Unlock()
	for _, s := range subs {
		s.connect()
		s.doubt()
	}
}

// on returns the storage, and makes log record the publications under topic.
func (l *lossy) on(topic string) *hub.Memory {
	l.logging.Lock()
	defer l.logging.Unlock()
	l.mu.Lock()
	m, logged := l.memory, l.logged[topic]
	l.logged[topic] = true
	l.mu.Unlock()
	if !logged {
		m.Subscribe(context.Background(), topic, &logger{l, topic})
	}
	return m
}

// logger is a Subscriber that loses nothing.
type logger struct {
	l     *lossy
	topic string
}

func (g *logger) Deliver(e *hub.Entry) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	g.l.log[g.topic] = append(g.l.log[g.topic], e)
}

func (*logger) Doubt() {}

func (*logger) Present(hub.Presence) {}

var errNetwork = errors.New("the network is down")

func (l *lossy) Publish(ctx context.Context, topic string, e *hub.Entry, keep hub.Keep) (hub.Position, error) {
	if l.percent(l.faults.fail) {
		return hub.Position{}, errNetwork
	}
	l.storage.RLock()
	defer l.storage.RUnlock()
	return l.on(topic).Publish(ctx, topic, e, keep)
}

func (l *lossy) Since(ctx context.Context, topic string, after hub.Position, limit int) ([]*hub.Entry, hub.Position, error) {
	time.Sleep(time.Millisecond)
	if l.percent(l.faults.fail) {
		return nil, hub.Position{}, errNetwork
	}
	entries, top, err := l.on(topic).Since(ctx, topic, after, limit)
	if err == nil && len(entries) > 0 && l.percent(l.faults.stale) {
		// A copy of the storage that lacks the newest entries.
		top = entries[len(entries)-1].Prev
		entries = entries[:len(entries)-1]
		if len(entries) == 0 && top != after {
			return nil, hub.Position{}, errNetwork // it would also have evicted the earlier entries
		}
	}
	return entries, top, err
}

func (l *lossy) Present(ctx context.Context, topic string) ([]hub.Presence, error) {
	return l.on(topic).Present(ctx, topic)
}

func (l *lossy) Close(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.Close(ctx)
}

func (l *lossy) Subscribe(_ context.Context, topic string, s hub.Subscriber) (hub.Subscription, hub.Position, error) {
	if l.percent(l.faults.fail) {
		return nil, hub.Position{}, errNetwork
	}
	sub := &lossySub{l: l, topic: topic, to: s}
	l.mu.Lock()
	l.subs[sub] = struct{}{}
	l.mu.Unlock()
	return sub, sub.connect(), nil
}

// lossySub is a subscription over the unreliable network.
type lossySub struct {
	l     *lossy
	topic string
	to    hub.Subscriber

	mu     sync.Mutex // held while to is called
	ended  bool
	held   []*hub.Entry
	memory *hub.Memory
}

func (s *lossySub) connect() hub.Position {
	m := s.l.on(s.topic)
	s.mu.Lock()
	again := s.memory == m
	s.memory = m
	s.mu.Unlock()
	if again {
		return hub.Position{}
	}
	_, top, err := m.Subscribe(context.Background(), s.topic, s)
	if err != nil { // replaced meanwhile
		return s.connect()
	}
	return top
}

func (s *lossySub) Deliver(e *hub.Entry) {
	f := s.l.faults
	lose, repeat, hold := s.l.percent(f.lose), s.l.percent(f.repeat), s.l.percent(f.hold)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended || lose:
		return
	case hold:
		s.held = append(s.held, e)
		return
	}
	s.to.Deliver(e)
	for _, late := range s.held {
		s.to.Deliver(late)
	}
	s.held = nil
	if repeat {
		s.to.Deliver(e)
	}
}

// doubt reports a possible loss, as an engine does now and then.
func (s *lossySub) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.to.Doubt()
	}
}

func (s *lossySub) Doubt() {}

func (s *lossySub) Present(p hub.Presence) {}

func (s *lossySub) Announce(hub.Presence) {}

func (s *lossySub) Cancel() {
	s.l.mu.Lock()
	delete(s.l.subs, s)
	s.l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// doubtAll reports a possible loss to all subscriptions.
func (l *lossy) doubtAll() {
	l.mu.Lock()
	var subs []*lossySub
	for s := range l.subs {
		subs = append(subs, s)
	}
	l.mu.Unlock()
	for _, s := range subs {
		s.doubt()
	}
}

// find returns the index of a position in the log of a topic, -1 if it is not there, and how
// many entries the log has.
func (l *lossy) find(topic, position string) (index, length int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range l.log[topic] {
		if e.Position.String() == position {
			return i, len(l.log[topic])
		}
	}
	return -1, len(l.log[topic])
}

// place returns the index of the last entry of a topic's log that is not after a position.
// A position without an entry lies between entries or, in an epoch without entries yet,
// after all of them.
func (l *lossy) place(topic, position string) int {
	p, err := hub.ParsePosition(position)
	if err != nil {
		l.t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.log[topic]
	first := slices.IndexFunc(log, func(e *hub.Entry) bool { return e.Position.Epoch() == p.Epoch() })
	if first < 0 {
		return len(log) - 1
	}
	last := first - 1
	for i, e := range log {
		if e.Position.Epoch() == p.Epoch() && e.Position.Offset() <= p.Offset() {
			last = i
		}
	}
	return last
}

// between returns the entries of a topic's log after index i and before j.
func (l *lossy) between(topic string, i, j int) []*hub.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log[topic][min(i+1, j):j]
}
