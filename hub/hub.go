package hub

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/isosocket/isosocket/ws"
)

// DefaultGrace is 10 seconds.
const DefaultGrace = 10 * time.Second

// Options configure a [Hub]. A nil pointer and the zero value select the defaults.
// Options must not be changed while they are in use.
type Options struct {
	// Engine stores and carries messages. nil means a [Memory] with its defaults, which
	// the Hub closes. The Hub does not close any other.
	Engine Engine
	// Rules returns the rules of a topic. It is called when the topic gets its first
	// member here, and for a message that is published under a topic without members here,
	// by many goroutines at the same time. nil means the zero Rules for every topic.
	Rules func(topic string) Rules
	// Limits bound what the Hub holds.
	Limits Limits
	// Grace is how long presence outlives a connection that has ended, so that a
	// reconnect is neither a leave nor a join. 0 means [DefaultGrace]; with a negative
	// number presence ends with the connection.
	Grace time.Duration
	// Trace has functions that are called when something happens. nil means none.
	Trace *Trace
}

// Hub sends messages published under a topic to the connections that have joined it. [New]
// creates one. All methods may be called by many goroutines at the same time.
type Hub struct {
	engine    Engine
	ownEngine bool
	rules     func(topic string) Rules
	limits    Limits
	grace     time.Duration
	trace     Trace
	node      string // distinguishes the connections of this Hub from those of others
	stats     counters

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu     sync.RWMutex
	topics map[string]*topic
	peers  map[*ws.Conn]*peer
	number uint64 // of the last peer
	closed bool
	work   sync.WaitGroup // goroutines; added to with mu held while not closed

	ended    endedPeers
	catchUps catchUps
}

// New returns a Hub. The error names an invalid option.
func New(o *Options) (*Hub, error) {
	var d Options
	if o != nil {
		d = *o
	}
	h := &Hub{
		engine: d.Engine, rules: d.Rules, grace: d.Grace,
		node:   strconv.FormatUint(rand.Uint64(), 36),
		topics: make(map[string]*topic), peers: make(map[*ws.Conn]*peer),
	}
	var err error
	if h.limits, err = d.Limits.withDefaults(); err != nil {
		return nil, err
	}
	if h.engine == nil {
		h.ownEngine = true
		if h.engine, err = NewMemory(nil); err != nil {
			return nil, err
		}
	}
	if h.grace == 0 {
		h.grace = DefaultGrace
	}
	if d.Trace != nil {
		h.trace = *d.Trace
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h, nil
}

// Close ends all memberships, without closing the connections, and releases everything.
// Joins, publications and iterations end with [ErrClosed]. Close waits until nothing runs
// any more; if ctx ends first, it returns ctx.Err(), and the rest ends in the background.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return ErrClosed
	}
	h.closed = true
	topics := h.topics
	h.topics, h.peers = nil, nil
	h.mu.Unlock()
	h.cancel()
	for _, t := range topics {
		t.close()
	}
	done := make(chan struct{})
	go func() {
		h.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if h.ownEngine {
		return h.engine.Close(ctx)
	}
	return nil
}

// begin counts a goroutine, which must call h.work.Done, unless the Hub is closed.
func (h *Hub) begin() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return false
	}
	h.work.Add(1)
	return true
}

// JoinOptions configure the messages and the presence of a member. A nil pointer and the
// zero value mean the messages from now on, as they were published, without presence.
type JoinOptions struct {
	// Since is the position after which messages are sent. Those that were published before
	// Join are recovered from history, followed by live ones, in order and without
	// duplicates. Messages that history no longer has are a [Gap]. The zero Position means
	// from now on.
	Since Position
	// Oldest begins with the oldest message in history, without a gap. Since must then be
	// the zero Position.
	Oldest bool
	// Paused begins with a [Membership.Pause]: until Resume nothing is sent, and
	// [Membership.Position] is where it will begin. So a server can send something before
	// the first message.
	Paused bool
	// Format defines how messages are sent. nil sends them as they were published, and
	// closes the connection at a [Gap].
	Format *Format
	// Key identifies the member for [Hub.Present], in at most 255 bytes. With "" it is not
	// present. Several connections may have the same Key.
	Key string
	// Info is announced with Key. The Hub copies it.
	Info []byte
}

// Join makes conn a member of a topic, which receives the messages published there. The
// messages are queued with [ws.Conn.TrySendPrepared], so no member delays another one. The
// program may use conn as it likes. The membership ends with [Membership.Leave], with the
// connection or with the Hub.
//
// When Join returns, the recovered messages are queued, as far as conn takes them without
// waiting. ctx only bounds the call. Errors are [ErrInvalidTopic], [ErrMember],
// [*LimitError], [ErrClosed], those of the engine, ctx.Err(), and the
// *errors.ConnectionClosed of a connection that has ended.
func (h *Hub) Join(ctx context.Context, topic string, conn *ws.Conn, o *JoinOptions) (*Membership, error) {
	var d JoinOptions
	if o != nil {
		d = *o
	}
	if err := h.check(topic, &d); err != nil {
		return nil, err
	}
	if err := conn.Err(); err != nil {
		return nil, err
	}
	p, err := h.peer(conn)
	if err != nil {
		return nil, err
	}
	m := &Membership{peer: p, name: topic, format: d.Format, key: d.Key, index: -1}
	if err := p.add(m); err != nil {
		return nil, err
	}
	t, err := h.acquire(ctx, topic)
	if err != nil {
		p.remove(m)
		return nil, err
	}
	b, err := t.add(m, &d)
	if err != nil {
		p.remove(m)
		h.release(t)
		return nil, err
	}
	if d.Key != "" {
		t.arrive(m, slices.Clone(d.Info))
	}
	if h.trace.Joined != nil {
		h.trace.Joined(topic)
	}
	if b != nil {
		h.catchUp(ctx, b)
	}
	if m.ended() { // while it was added
		if err := conn.Err(); err != nil {
			return nil, err
		}
		return nil, ErrClosed
	}
	return m, nil
}

// check returns why a Join is invalid.
func (h *Hub) check(topic string, o *JoinOptions) error {
	if err := h.checkTopic(topic); err != nil {
		return err
	}
	if o.Oldest && !o.Since.IsZero() {
		return &optionError{"JoinOptions.Oldest", "is set, and Since too"}
	}
	return h.checkPresence(o.Key, o.Info)
}

func (h *Hub) checkTopic(topic string) error {
	if len(topic) > h.limits.TopicLength {
		return &LimitError{"Limits.TopicLength", h.limits.TopicLength, len(topic)}
	}
	if topic == "" || !utf8.ValidString(topic) {
		return ErrInvalidTopic
	}
	return nil
}

// PublishOptions describe a message. A nil pointer and the zero value set neither option.
type PublishOptions struct {
	// Key is the subject of the message: for a topic with [Latest], a slow member gets only
	// the newest message of each Key. It has at most 255 bytes.
	Key string
	// ID, if not empty, makes Publish idempotent: a Publish with the ID of an earlier
	// message of the topic, within Rules.IDs, only returns that message's Position. It has
	// at most 255 bytes.
	ID string
}

// Publish stores m if the topic keeps history, and delivers it to all members on all
// machines. It returns the message's Position. The data is copied. With a [Memory] the
// message has been queued for all healthy members when Publish returns, and is not
// delivered later than one whose Publish began after that.
//
// Errors are [ErrInvalidTopic], [*LimitError], [ErrClosed], those of the engine, and for
// a message that cannot be sent errors.ErrInvalidUTF8 or one that names the kind. After
// an error of the engine the message may or may not have been published; repeat it with
// the same PublishOptions.ID.
func (h *Hub) Publish(ctx context.Context, topic string, m ws.Message, o *PublishOptions) (Position, error) {
	return h.publish(ctx, topic, m, o, "")
}

func (h *Hub) publish(ctx context.Context, topic string, m ws.Message, o *PublishOptions, except string) (Position, error) {
	if err := h.checkTopic(topic); err != nil {
		return Position{}, err
	}
	e := &Entry{Except: except}
	if o != nil {
		e.Key, e.ID = o.Key, o.ID
	}
	switch {
	case len(m.Data) > h.limits.MessageSize:
		return Position{}, &LimitError{"Limits.MessageSize", h.limits.MessageSize, len(m.Data)}
	case len(e.Key) > maxKey:
		return Position{}, &LimitError{"the length of PublishOptions.Key", maxKey, len(e.Key)}
	case len(e.ID) > maxKey:
		return Position{}, &LimitError{"the length of PublishOptions.ID", maxKey, len(e.ID)}
	}
	if err := m.Check(0); err != nil {
		return Position{}, err
	}
	keep, err := h.keep(topic)
	if err != nil {
		return Position{}, err
	}
	e.Message = ws.Message{Kind: m.Kind, Data: slices.Clone(m.Data)}
	p, err := h.engine.Publish(ctx, topic, e, keep)
	if err != nil {
		return Position{}, &topicError{topic, err}
	}
	h.stats.published.Add(1)
	return p, nil
}

// keep returns the Keep of a topic.
func (h *Hub) keep(topic string) (Keep, error) {
	h.mu.RLock()
	t, closed := h.topics[topic], h.closed
	h.mu.RUnlock()
	if closed {
		return Keep{}, ErrClosed
	}
	if t != nil {
		return t.keep, nil
	}
	rules, err := h.rulesOf(topic)
	return rules.keep(), err
}

func (h *Hub) rulesOf(topic string) (Rules, error) {
	if h.rules == nil {
		return Rules{}, nil
	}
	rules := h.rules(topic)
	if err := rules.check(); err != nil {
		return Rules{}, &topicError{topic, err}
	}
	return rules, nil
}

// sincePage is how many entries are requested from an engine at a time.
const sincePage = 64

// Since returns an iterator over the messages in history that were published after p, up to
// the newest at the time; the zero Position means all of them. A [*Gap] comes as an error,
// with a nil entry, in its place in the order, and the iteration continues. It ends with
// any other error.
func (h *Hub) Since(ctx context.Context, topic string, p Position) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if err := h.checkTopic(topic); err != nil {
			yield(nil, err)
			return
		}
		chained := !p.IsZero()
		for {
			entries, top, err := h.since(ctx, topic, p, sincePage)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(entries) == 0 {
				if chained && p != top && !top.notAfter(p) {
					yield(nil, &Gap{Topic: topic, After: p, Until: top})
				}
				return
			}
			for _, e := range entries {
				if chained && e.Prev != p && !yield(nil, &Gap{Topic: topic, After: p, Until: e.Prev}) {
					return
				}
				if !yield(e, nil) {
					return
				}
				p, chained = e.Position, true
			}
			if p == top {
				return
			}
		}
	}
}

// Position returns the position of the newest message of a topic, or, without messages, of
// the place where the first one will be. A member that joins with it in JoinOptions.Since
// gets every later message. Read it before the state that the messages change: messages
// published in between then arrive again, and none is missing.
func (h *Hub) Position(ctx context.Context, topic string) (Position, error) {
	if err := h.checkTopic(topic); err != nil {
		return Position{}, err
	}
	h.mu.RLock()
	t := h.topics[topic]
	h.mu.RUnlock()
	if t != nil {
		t.mu.Lock()
		live, p := t.live && !t.closed, t.position
		t.mu.Unlock()
		if live {
			return p, nil
		}
	}
	_, top, err := h.since(ctx, topic, Position{}, 1)
	return top, err
}

// since asks the engine.
func (h *Hub) since(ctx context.Context, topic string, p Position, limit int) ([]*Entry, Position, error) {
	if h.ctx.Err() != nil {
		return nil, Position{}, ErrClosed
	}
	entries, top, err := h.engine.Since(ctx, topic, p, limit)
	if err != nil {
		return nil, Position{}, &topicError{topic, err}
	}
	return entries, top, nil
}

// acquire returns the topic, ready for members. The caller must call release afterwards.
func (h *Hub) acquire(ctx context.Context, name string) (*topic, error) {
	t, err := h.reserve(name)
	if err != nil {
		return nil, err
	}
	select {
	case <-t.opened:
	default:
		select {
		case <-t.opened:
		case <-ctx.Done():
			h.release(t)
			return nil, ctx.Err()
		}
	}
	if t.err != nil {
		h.release(t)
		return nil, t.err
	}
	return t, nil
}

// reserve returns the topic, which may not be open yet.
func (h *Hub) reserve(name string) (*topic, error) {
	h.mu.Lock()
	t := h.topics[name]
	if t != nil && !t.failed() {
		t.refs++
		h.mu.Unlock()
		return t, nil
	}
	h.mu.Unlock()
	rules, err := h.rulesOf(name) // which is the program's, and may call the Hub
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if t = h.topics[name]; t == nil || t.failed() {
		if t == nil && len(h.topics) >= h.limits.AllTopics {
			return nil, &LimitError{"Limits.AllTopics", h.limits.AllTopics, len(h.topics) + 1}
		}
		t = newTopic(h, name, rules)
		h.topics[name] = t
		h.work.Add(1)
		go t.open()
	}
	t.refs++
	return t, nil
}

// release undoes acquire.
func (h *Hub) release(t *topic) {
	h.mu.Lock()
	t.refs--
	last := t.refs == 0
	if last && h.topics[t.name] == t {
		delete(h.topics, t.name)
	}
	h.mu.Unlock()
	if last {
		t.close()
	}
}

// except returns the text that names p in Entry.Except.
func (h *Hub) except(p *peer) string { return h.node + "." + strconv.FormatUint(p.number, 36) }

// excepted returns the number of the peer that does not get e, 0 if there is none here.
func (h *Hub) excepted(e *Entry) uint64 {
	if e.Except == "" {
		return 0
	}
	node, number, ok := strings.Cut(e.Except, ".")
	if !ok || node != h.node {
		return 0
	}
	n, err := strconv.ParseUint(number, 36, 64)
	if err != nil {
		return 0
	}
	return n
}
