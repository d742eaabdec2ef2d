package hub

import (
	"context"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The defaults of [MemoryOptions].
const (
	// DefaultMaxTopics is 100,000.
	DefaultMaxTopics = 100_000
	// DefaultMaxBytes is 64 MiB.
	DefaultMaxBytes = 64 << 20
	// DefaultForget is 24 hours.
	DefaultForget = 24 * time.Hour
)

const (
	// entryCost is the memory that an entry takes besides its data.
	entryCost = 400
	// sweepEvery is how often topics that are not used are looked at.
	sweepEvery = 30 * time.Second
)

// MemoryOptions configure a [Memory]. A nil pointer and the zero value select the
// defaults. A negative number means no limit.
type MemoryOptions struct {
	// MaxTopics is how many topics are remembered. A topic without subscribers and without
	// history may be forgotten for a new one; if there is none, the new one is refused with a
	// [*LimitError]. 0 means [DefaultMaxTopics].
	MaxTopics int
	// MaxBytes bounds the histories of all topics together. Above it the oldest messages
	// of all are dropped. A message counts twice its size, because its frame is kept, too,
	// and 400 bytes. 0 means [DefaultMaxBytes].
	MaxBytes int
	// Forget is how long after its last message a topic without subscribers and history is
	// remembered. A member that returns to it later gets a [Gap], even if no message was
	// published. 0 means [DefaultForget].
	Forget time.Duration
}

// Memory is an [Engine] in the memory of this process. Its history is lost with the
// process; positions of earlier processes are then recognised, and lead to a [Gap].
// Several Hubs may share a Memory.
type Memory struct {
	maxTopics, maxBytes int
	forget              time.Duration
	epoch               string
	last                atomic.Uint64 // the offset that was assigned last, in any topic

	mu      sync.RWMutex
	topics  map[string]*memoryTopic
	closed  bool
	sweeper *time.Timer // nil if no topic needs a sweep
	full    time.Time   // when no topic could be forgotten; not tried again soon

	agesMu sync.Mutex // guards the fields below; may be taken with a topic's mu held
	oldest *stored    // all entries of all topics, in order of their offsets, nearly
	newest *stored
	bytes  int
}

// memoryTopic is a topic of a Memory.
type memoryTopic struct {
	name string

	mu      sync.Mutex
	gone    bool // removed from Memory.topics: look again
	top     Position
	used    time.Time // of the last message, or the last subscriber
	age     time.Duration
	entries []*stored // oldest first
	ids     map[string]knownID
	idOrder []string // in order of their ends, nearly
	subs    []*memorySub
	present map[string]*memoryPresence
}

// stored is an entry of a history, in the list of all.
type stored struct {
	entry      *Entry
	topic      *memoryTopic
	size       int
	prev, next *stored
}

type knownID struct {
	position Position
	until    time.Time
}

type memoryPresence struct {
	info []byte
	by   []*memorySub
}

// memorySub is a Subscription of a Memory.
type memorySub struct {
	memory     *Memory
	topic      *memoryTopic
	subscriber Subscriber
}

var _ Engine = (*Memory)(nil)

// NewMemory returns an engine in memory. The error names an invalid option.
func NewMemory(o *MemoryOptions) (*Memory, error) {
	var d MemoryOptions
	if o != nil {
		d = *o
	}
	m := &Memory{
		maxTopics: d.MaxTopics, maxBytes: d.MaxBytes, forget: d.Forget,
		epoch:  strconv.FormatUint(rand.Uint64(), 36),
		topics: make(map[string]*memoryTopic),
	}
	if m.maxTopics == 0 {
		m.maxTopics = DefaultMaxTopics
	}
	if m.maxBytes == 0 {
		m.maxBytes = DefaultMaxBytes
	}
	if m.forget == 0 {
		m.forget = DefaultForget
	}
	return m, nil
}

// at returns a Position of this engine.
func (m *Memory) at(offset uint64) Position { return Position{m.epoch, offset} }

// topic returns the topic with its mu held, nil if there is none.
func (m *Memory) topic(name string) (*memoryTopic, error) {
	for {
		m.mu.RLock()
		t, closed := m.topics[name], m.closed
		m.mu.RUnlock()
		if closed {
			return nil, ErrClosed
		}
		if t == nil {
			return nil, nil
		}
		t.mu.Lock()
		if !t.gone {
			return t, nil
		}
		t.mu.Unlock()
	}
}

// makeTopic is like topic, but creates the topic if it does not exist.
func (m *Memory) makeTopic(name string) (*memoryTopic, error) {
	for {
		if t, err := m.topic(name); t != nil || err != nil {
			return t, err
		}
		if err := m.add(name); err != nil {
			return nil, err
		}
	}
}

// add adds a topic unless it exists.
func (m *Memory) add(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case m.topics[name] != nil:
		return nil
	}
	now := time.Now()
	if m.maxTopics > 0 && len(m.topics) >= m.maxTopics {
		if !m.full.IsZero() && now.Sub(m.full) < time.Second || m.makeRoom(now) == 0 {
			if now.Sub(m.full) >= time.Second {
				m.full = now
			}
			return &LimitError{"MemoryOptions.MaxTopics", m.maxTopics, len(m.topics) + 1}
		}
	}
	// Later than every message that an earlier topic of this name may have had.
	m.topics[name] = &memoryTopic{name: name, top: m.at(m.last.Load()), used: now}
	if m.sweeper == nil {
		m.sweeper = time.AfterFunc(sweepEvery, m.sweep)
	}
	return nil
}

// makeRoom forgets the topics that have been idle for longest, a quarter of those that may
// be forgotten, and returns how many. mu is held.
func (m *Memory) makeRoom(now time.Time) int {
	type candidate struct {
		topic *memoryTopic
		used  time.Time
	}
	var idle []candidate
	for _, t := range m.topics {
		t.mu.Lock()
		m.expire(t, now)
		if t.idle() {
			idle = append(idle, candidate{t, t.used})
		}
		t.mu.Unlock()
	}
	sort.Slice(idle, func(i, j int) bool { return idle[i].used.Before(idle[j].used) })
	n := 0
	for _, c := range idle[:(len(idle)+3)/4] {
		n += m.remove(c.topic, func() bool { return c.topic.idle() })
	}
	return n
}

// remove forgets t if may returns true, and returns the number of topics removed. mu is held.
func (m *Memory) remove(t *memoryTopic, may func() bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !may() {
		return 0
	}
	t.gone = true
	delete(m.topics, t.name)
	return 1
}

// idle reports whether t may be forgotten. t.mu is held.
func (t *memoryTopic) idle() bool {
	return len(t.subs) == 0 && len(t.entries) == 0 && len(t.ids) == 0
}

// sweep drops expired entries of unused topics.
func (m *Memory) sweep() {
	m.mu.RLock()
	all := make([]*memoryTopic, 0, len(m.topics))
	for _, t := range m.topics {
		all = append(all, t)
	}
	m.mu.RUnlock()
	now := time.Now()
	var old []*memoryTopic
	for _, t := range all {
		t.mu.Lock()
		m.expire(t, now)
		if m.outlived(t, now) {
			old = append(old, t)
		}
		t.mu.Unlock()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range old {
		m.remove(t, func() bool { return m.outlived(t, now) })
	}
	m.sweeper = nil
	if len(m.topics) > 0 && !m.closed {
		m.sweeper = time.AfterFunc(sweepEvery, m.sweep)
	}
}

func (m *Memory) outlived(t *memoryTopic, now time.Time) bool {
	return t.idle() && m.forget > 0 && now.Sub(t.used) >= m.forget
}

// expire drops entries that are too old. t.mu is held.
func (m *Memory) expire(t *memoryTopic, now time.Time) {
	n := 0
	for n < len(t.entries) && now.Sub(t.entries[n].entry.Time) >= t.age {
		n++
	}
	m.drop(t, n)
	for len(t.idOrder) > 0 {
		id := t.idOrder[0]
		if now.Before(t.ids[id].until) {
			break
		}
		delete(t.ids, id)
		t.idOrder = t.idOrder[1:]
	}
	if len(t.ids) == 0 {
		t.ids, t.idOrder = nil, nil
	}
}

// drop drops the n oldest entries. t.mu is held.
func (m *Memory) drop(t *memoryTopic, n int) {
	if n == 0 {
		return
	}
	m.agesMu.Lock()
	for _, s := range t.entries[:n] {
		m.unlink(s)
	}
	m.agesMu.Unlock()
	clear(t.entries[:n])
	t.entries = t.entries[n:]
	if len(t.entries) == 0 {
		t.entries = nil
	}
}

// link appends s to the list of all entries. agesMu is held.
func (m *Memory) link(s *stored) {
	s.prev = m.newest
	if m.newest != nil {
		m.newest.next = s
	} else {
		m.oldest = s
	}
	m.newest = s
	m.bytes += s.size
}

func (m *Memory) unlink(s *stored) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		m.oldest = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	} else {
		m.newest = s.prev
	}
	s.prev, s.next = nil, nil
	m.bytes -= s.size
}

// Publish implements [Engine]. It delivers before it returns.
func (m *Memory) Publish(_ context.Context, topic string, e *Entry, keep Keep) (Position, error) {
	t, err := m.makeTopic(topic)
	if err != nil {
		return Position{}, err
	}
	over, position := m.publish(t, e, keep)
	for over {
		over = m.dropOldest()
	}
	return position, nil
}

// publish reports whether the histories take too much. t.mu is held; publish unlocks it.
func (m *Memory) publish(t *memoryTopic, e *Entry, keep Keep) (over bool, _ Position) {
	defer t.mu.Unlock()
	now := time.Now()
	t.age, t.used = keep.Age, now
	m.expire(t, now)
	remember := e.ID != "" && keep.IDs > 0
	if known, ok := t.ids[e.ID]; ok && remember && now.Before(known.until) {
		return false, known.position
	}
	e.Position, e.Prev, e.Time = m.at(m.last.Add(1)), t.top, now
	t.top = e.Position
	if remember {
		if t.ids == nil {
			t.ids = make(map[string]knownID)
		}
		t.ids[e.ID] = knownID{e.Position, now.Add(keep.IDs)}
		t.idOrder = append(t.idOrder, e.ID)
	}
	if keep.Messages > 0 {
		s := &stored{entry: e, topic: t, size: 2*len(e.Message.Data) + len(e.Key) + len(e.ID) + len(e.Except) + entryCost}
		t.entries = append(t.entries, s)
		m.agesMu.Lock()
		m.link(s)
		over = m.maxBytes > 0 && m.bytes > m.maxBytes
		m.agesMu.Unlock()
	}
	m.drop(t, max(len(t.entries)-keep.Messages, 0))
	for _, s := range t.subs {
		s.subscriber.Deliver(e)
	}
	return over, e.Position
}

// dropOldest drops the oldest entry of all, and reports whether they still take too much.
func (m *Memory) dropOldest() bool {
	m.agesMu.Lock()
	if m.bytes <= m.maxBytes || m.oldest == nil {
		m.agesMu.Unlock()
		return false
	}
	t := m.oldest.topic
	m.agesMu.Unlock()
	// Another goroutine may have dropped it meanwhile, and then t's next entry is dropped:
	// that of another topic may be a little older.
	t.mu.Lock()
	m.drop(t, min(len(t.entries), 1))
	t.mu.Unlock()
	return true
}

// Subscribe implements [Engine].
func (m *Memory) Subscribe(_ context.Context, topic string, s Subscriber) (Subscription, Position, error) {
	t, err := m.makeTopic(topic)
	if err != nil {
		return nil, Position{}, err
	}
	defer t.mu.Unlock()
	sub := &memorySub{m, t, s}
	t.subs = append(t.subs, sub)
	return sub, t.top, nil
}

// Since implements [Engine].
func (m *Memory) Since(_ context.Context, topic string, after Position, limit int) ([]*Entry, Position, error) {
	t, err := m.topic(topic)
	if err != nil {
		return nil, Position{}, err
	}
	if t == nil {
		return nil, m.at(m.last.Load()), nil
	}
	defer t.mu.Unlock()
	m.expire(t, time.Now())
	begin := 0
	if after.epoch == m.epoch {
		begin = sort.Search(len(t.entries), func(i int) bool { return t.entries[i].entry.Position.offset > after.offset })
	}
	page := t.entries[begin:]
	entries := make([]*Entry, 0, min(len(page), max(limit, 0)))
	for _, s := range page[:cap(entries)] {
		entries = append(entries, s.entry)
	}
	return entries, t.top, nil
}

// Present implements [Engine].
func (m *Memory) Present(_ context.Context, topic string) ([]Presence, error) {
	t, err := m.topic(topic)
	if t == nil || err != nil {
		return nil, err
	}
	defer t.mu.Unlock()
	all := make([]Presence, 0, len(t.present))
	for key, p := range t.present {
		all = append(all, Presence{key, p.info, true})
	}
	return all, nil
}

// Close implements [Engine].
func (m *Memory) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.closed = true
	if m.sweeper != nil {
		m.sweeper.Stop()
	}
	for _, t := range m.topics {
		t.mu.Lock()
		t.gone = true
		t.entries, t.subs, t.present, t.ids, t.idOrder = nil, nil, nil, nil, nil
		t.mu.Unlock()
	}
	m.topics = nil
	m.agesMu.Lock()
	m.oldest, m.newest, m.bytes = nil, nil, 0
	m.agesMu.Unlock()
	return nil
}

// Announce implements [Subscription].
func (s *memorySub) Announce(p Presence) {
	t := s.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.subs, s) {
		return
	}
	if !p.Here {
		s.withdraw(p.Key)
		return
	}
	known := t.present[p.Key]
	if known == nil {
		known = &memoryPresence{}
		if t.present == nil {
			t.present = make(map[string]*memoryPresence)
		}
		t.present[p.Key] = known
	} else if string(known.info) == string(p.Info) {
		known.add(s)
		return
	}
	known.add(s)
	known.info = p.Info
	t.tell(p)
}

func (p *memoryPresence) add(s *memorySub) {
	if !slices.Contains(p.by, s) {
		p.by = append(p.by, s)
	}
}

// withdraw withdraws the announcement of key by s. t.mu is held.
func (s *memorySub) withdraw(key string) {
	t := s.topic
	known := t.present[key]
	if known == nil {
		return
	}
	i := slices.Index(known.by, s)
	if i < 0 {
		return
	}
	known.by = slices.Delete(known.by, i, i+1)
	if len(known.by) == 0 {
		delete(t.present, key)
		t.tell(Presence{key, known.info, false})
	}
}

// tell reports a change to all subscribers. t.mu is held.
func (t *memoryTopic) tell(p Presence) {
	for _, s := range t.subs {
		s.subscriber.Present(p)
	}
}

// Cancel implements [Subscription].
func (s *memorySub) Cancel() {
	t := s.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.subs, s)
	if i < 0 {
		return
	}
	t.subs = slices.Delete(t.subs, i, i+1)
	t.used = time.Now()
	for key := range t.present {
		s.withdraw(key)
	}
}
