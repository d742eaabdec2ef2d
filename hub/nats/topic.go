package nats

import (
	"context"
	"slices"
	"sync"
	"time"

	natsio "github.com/nats-io/nats.go"

	"github.com/isosocket/isosocket/hub"
)

// topic is a topic that has subscriptions here.
type topic struct {
	engine *Engine
	name   string
	token  string
	nats   *natsio.Subscription

	mu   sync.Mutex // held while a Subscriber is called
	gone bool
	subs []*subscription
	// top is the position of the last entry that was delivered, or that subscribers have been
	// told to ask for; the zero Position until it is known.
	top hub.Position
	seq uint64 // the highest sequence of the stream that is known for this topic
	// born is the sequence of a message that began the topic anew when all its earlier messages had
	// expired, and nothing was missed: the next entry follows top. 0 for none.
	born uint64
	// first is the sequence of a message that comes directly after the position follows, although all
	// before it had expired. 0 for none.
	first    uint64
	follows  hub.Position
	late     bool // a message has come whose sequence is not above seq, so that the stream may be another one
	unstored bool // the last message was not stored
	covered  bool // the keeper has compared it with the stream
	dropped  int  // messages that were lost because the queue was full
}

// subscription is a hub.Subscription.
type subscription struct {
	topic      *topic
	subscriber hub.Subscriber
	keys       map[string]struct{} // that it announces; guarded by presence.mu
}

// Subscribe implements [hub.Engine].
func (e *Engine) Subscribe(ctx context.Context, name string, s hub.Subscriber) (hub.Subscription, hub.Position, error) {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	sub, top, err := e.subscribe(name, s)
	if err != nil {
		return nil, hub.Position{}, err
	}
	if !top.IsZero() {
		return sub, top, nil
	}
	if top, err = e.begin(ctx, sub.topic); err != nil {
		sub.Cancel()
		return nil, hub.Position{}, err
	}
	return sub, top, nil
}

// subscribe adds a subscription, and returns the topic's top if it is known.
func (e *Engine) subscribe(name string, s hub.Subscriber) (*subscription, hub.Position, error) {
	key := token(name)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed.Load() {
		return nil, hub.Position{}, errClosed
	}
	t := e.topics[key]
	if t == nil {
		t = &topic{engine: e, name: name, token: key}
		var err error
		if t.nats, err = e.nc.ChanSubscribe(e.liveSubject(key), e.queue); err != nil {
			return nil, hub.Position{}, e.linkError("subscribe", err)
		}
		e.topics[key] = t
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sub := &subscription{topic: t, subscriber: s}
	t.subs = append(t.subs, sub)
	return sub, t.top, nil
}

// begin finds where a new topic is, and returns it.
func (e *Engine) begin(ctx context.Context, t *topic) (hub.Position, error) {
	if e.storage.Load() == nil {
		if err := e.nc.FlushWithContext(ctx); err != nil { // the server knows the subscription then
			return hub.Position{}, e.linkError("subscribe", err)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.top.IsZero() {
			t.top = e.next()
		}
		return t.top, nil
	}
	subject := e.storedSubject(t.token)
	for {
		st := e.storage.Load()
		last, _, found, err := e.lastOf(ctx, st.stream, subject)
		if err != nil {
			return hub.Position{}, err
		}
		seq := last.seq
		if !found {
			if seq, err = e.birth(ctx, st, subject); err != nil {
				return hub.Position{}, err
			}
			if seq == 0 { // another machine was first
				continue
			}
		}
		same, err := e.verify(ctx, st)
		if err != nil {
			return hub.Position{}, err
		}
		if !same {
			continue
		}
		if top, ok := t.beginAt(st, seq); ok {
			return top, nil
		}
	}
}

// beginAt notes that the last message of a new topic has a sequence, unless the engine has another storage.
func (t *topic) beginAt(st *storage, seq uint64) (top hub.Position, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.engine.storage.Load(); now.stream != st.stream || now.epoch != st.epoch {
		return top, false // nobody would tell the topic so later
	}
	// Messages have arrived meanwhile if top is known. They may be later than seq, and the
	// subscriber has them; one that is before seq is not needed.
	top = st.at(seq)
	if t.top.IsZero() || t.top.Epoch() == st.epoch && t.top.Offset() < seq {
		t.top = top
	}
	t.seq = max(t.seq, seq)
	return top, true
}

// birth begins a topic that has no messages with one that nobody sees, and returns its sequence, 0
// if the topic has a message meanwhile. A stored message is needed, because a position is proved by
// the message there.
func (e *Engine) birth(ctx context.Context, st *storage, subject string) (seq uint64, err error) {
	m := natsio.NewMsg(subject)
	m.Data = (&packet{flags: flagBirth, source: st.epoch}).encode()
	var none uint64
	ack, err := e.store(ctx, m, st.stream, &none, "")
	switch {
	case err == nil:
		st.saw(ack.Sequence)
		return ack.Sequence, nil
	case !isWrongLast(err):
		e.wake()
		return 0, e.linkError("begin a topic", err)
	case !e.sleep(ctx, 10*time.Millisecond):
		return 0, e.linkError("begin a topic", ctx.Err())
	}
	return 0, nil
}

// next returns a position for a message that is not stored.
func (e *Engine) next() hub.Position { return hub.MakePosition(e.name, e.number.Add(1)) }

// Cancel implements [hub.Subscription].
func (s *subscription) Cancel() {
	e, t := s.topic.engine, s.topic
	e.presence.withdrawAll(s)
	e.mu.Lock()
	defer e.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subs = slices.DeleteFunc(t.subs, func(other *subscription) bool { return other == s })
	if len(t.subs) > 0 || t.gone {
		return
	}
	t.gone = true
	t.nats.Unsubscribe() // fails only if the connection is closed
	if e.topics[t.token] == t {
		delete(e.topics, t.token)
	}
}

// Announce implements [hub.Subscription].
func (s *subscription) Announce(p hub.Presence) { s.topic.engine.presence.announce(s, p) }

// end ends t when the engine is closed. The engine's mu is held.
func (t *topic) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone, t.subs = true, nil
}

// deliver delivers e. mu is held.
func (t *topic) deliver(e *hub.Entry) {
	t.top = e.Position
	for _, s := range t.subs {
		s.subscriber.Deliver(e)
	}
}

// doubt tells the subscribers to ask. mu is held.
func (t *topic) doubt() {
	if t.unstored || t.engine.storage.Load() == nil {
		t.top = t.engine.next() // Since then says that messages may be missing
	}
	t.engine.link.doubts.Add(1)
	for _, s := range t.subs {
		s.subscriber.Doubt()
	}
}

// dispatch delivers what NATS brings.
func (e *Engine) dispatch() {
	for {
		select {
		case m := <-e.queue:
			e.take(m)
		case <-e.ended:
			return
		}
	}
}

// take delivers a message.
func (e *Engine) take(m *natsio.Msg) {
	key := m.Subject[min(len(e.options.Prefix)+len(livePart), len(m.Subject)):]
	e.mu.RLock()
	t := e.topics[key]
	e.mu.RUnlock()
	if t == nil {
		return
	}
	p, err := decode(m.Data)
	if err != nil {
		e.report(failed("receive", err))
		return
	}
	if p.flags&flagUnstored != 0 {
		t.takeUnstored(p)
		return
	}
	s, err := parseStored(m)
	if err != nil {
		e.report(failed("receive", err))
		return
	}
	s.packet = p
	t.takeStored(&s)
}

// takeUnstored delivers a message of another machine.
func (t *topic) takeUnstored(p *packet) {
	if p.source == t.engine.name {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	entry := &p.entry
	entry.Position, entry.Time = hub.MakePosition(p.source, p.number), t.engine.options.now()
	t.unstored = true
	t.deliver(entry)
}

// takeStored delivers a message that the stream has republished.
func (t *topic) takeStored(s *stored) {
	e := t.engine
	t.mu.Lock()
	defer t.mu.Unlock()
	// With mu, so that whoever has replaced the storage comes to this topic afterwards.
	st := e.storage.Load()
	if st == nil || s.stream != st.stream || s.packet.source != st.epoch {
		// The stream is another one than this machine or the publisher knew.
		e.keeper.urgent.Store(true)
		e.wake()
		t.doubt()
		return
	}
	if s.seq <= t.seq { // again, or the stream has begun anew
		t.late = true
		if s.seq < t.seq {
			e.wake()
		}
		return
	}
	follows := t.top.Epoch() == st.epoch && (s.last == t.born && t.born > 0 || s.last == 0 && t.covered && e.keeper.recent(st))
	st.saw(s.seq)
	t.seq = s.seq
	if s.packet.flags&flagBirth != 0 {
		if follows {
			t.born = s.seq
		} else if t.top.IsZero() {
			t.top = st.at(s.seq)
		}
		return
	}
	t.unstored = s.packet.flags&flagNoChain != 0
	if (follows || t.late) && !t.unstored {
		// It may be of another stream with the same name. Since finds that out.
		if follows {
			t.first, t.follows = s.seq, t.top
			if t.born > 0 && s.last == t.born {
				t.first = t.born
			}
		}
		t.top, t.born, t.late = st.at(s.seq), 0, false
		t.doubt()
		return
	}
	entry := &s.packet.entry
	entry.Position, entry.Time = st.at(s.seq), s.time
	switch {
	case t.unstored:
	case s.last == 0:
		entry.Prev = st.at(s.seq - 1) // as Since says, which cannot know
	default:
		entry.Prev = st.at(s.last)
	}
	t.born = 0
	t.deliver(entry)
}

// doubtUnstored tells the subscribers of topics without history that messages may be missing:
// of all, or of those for which the queue was full.
func (e *Engine) doubtUnstored(all bool) {
	n := 0
	for _, t := range e.all() {
		t.mu.Lock()
		dropped, err := t.nats.Dropped()
		lost := err == nil && dropped != t.dropped
		t.dropped = dropped
		if !t.gone && (e.js == nil || t.unstored) && (all || lost) {
			t.doubt()
			n++
		}
		t.mu.Unlock()
	}
	e.doubted(n)
}

func (e *Engine) doubted(topics int) {
	if topics > 0 && e.options.Trace.Doubt != nil {
		e.options.Trace.Doubt(topics)
	}
}

// all returns the topics.
func (e *Engine) all() []*topic {
	e.mu.RLock()
	defer e.mu.RUnlock()
	all := make([]*topic, 0, len(e.topics))
	for _, t := range e.topics {
		all = append(all, t)
	}
	return all
}
