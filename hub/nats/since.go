package nats

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/hub"
)

// Since implements [hub.Engine]. One request returns the message at the position after, if it is
// still stored, and those that follow it. The stream drops the oldest messages first, so if that
// message is there, none behind it is missing. It must be the same stream, and not another one of
// its name, whose messages have the same sequences.
func (e *Engine) Since(ctx context.Context, name string, after hub.Position, limit int) ([]*hub.Entry, hub.Position, error) {
	if e.closed.Load() {
		return nil, hub.Position{}, errClosed
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	key := token(name)
	for {
		e.mu.RLock()
		t := e.topics[key]
		e.mu.RUnlock()
		st := e.storage.Load()
		var local local
		if t != nil {
			local = t.local(st)
		}
		if st == nil || local.unstored {
			if local.top.IsZero() {
				return nil, e.next(), nil
			}
			return nil, local.top, nil
		}
		p := &page{storage: st, after: after, local: local, limit: max(limit, 0), wanted: max(limit, 0) + 2}
		top, err := e.read(ctx, key, p)
		if err != nil {
			return nil, hub.Position{}, err
		}
		same, err := e.verify(ctx, st)
		if err != nil {
			return nil, hub.Position{}, err
		}
		if same {
			return p.entries, top, nil
		}
	}
}

// read reads p from the stream, and returns the position of the topic's last message.
func (e *Engine) read(ctx context.Context, key string, p *page) (top hub.Position, err error) {
	st := p.storage
	// If after has expired, nothing was missed, and the topic was begun anew, the place after
	// which it continues is that beginning.
	p.from = 1
	if p.after.Epoch() == st.epoch && p.after.Offset() > 0 {
		p.from, p.chained = p.after.Offset(), true
	}
	subject := e.storedSubject(key)
	for {
		a, err := e.batch(ctx, st.stream, getRequest{Seq: p.from, NextFor: subject, Batch: p.wanted})
		if err != nil {
			return hub.Position{}, err
		}
		p.add(a.messages)
		if n := len(a.messages); n > 0 && a.pending > 0 && !p.full {
			p.from = a.messages[n-1].seq + 1
			continue
		}
		if !p.full && p.last > 0 {
			return p.top(p.last), nil
		}
		last, _, found, err := e.lastOf(ctx, st.stream, subject)
		switch {
		case err != nil:
			return hub.Position{}, err
		case !found && p.expired():
			return p.local.top, nil
		case !found:
			seq, err := e.birth(ctx, st, subject)
			if err != nil {
				return hub.Position{}, err
			}
			if seq > 0 {
				return st.at(seq), nil
			}
			continue
		case p.full || last.seq < p.from:
			return p.top(max(last.seq, p.last)), nil
		}
		// It was published between the two requests. As the end of an answer without messages
		// it would be a gap.
		if !e.sleep(ctx, 5*time.Millisecond) {
			return hub.Position{}, e.linkError("read history", ctx.Err())
		}
	}
}

// local is what a machine knows of a topic that it subscribes to.
type local struct {
	top      hub.Position
	born     uint64
	first    uint64 // see topic.first
	follows  hub.Position
	unstored bool
	recent   bool // top was compared with the stream a short time ago
}

func (t *topic) local(st *storage) local {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := local{top: t.top, unstored: t.unstored}
	if st != nil && t.top.Epoch() == st.epoch { // the sequences are of this storage
		l.born, l.first, l.follows = t.born, t.first, t.follows
		l.recent = t.covered && t.engine.keeper.recent(st)
	}
	return l
}

// page collects the result of Since.
type page struct {
	storage *storage
	after   hub.Position
	local   local
	limit   int
	wanted  int
	from    uint64
	chained bool // after is of this epoch
	full    bool // there are more than limit

	entries []*hub.Entry
	started bool
	prev    hub.Position // the zero Position if it is not known
	last    uint64       // the last sequence seen
}

// add adds messages in their order.
func (p *page) add(messages []stored) {
	for i := range messages {
		m := &messages[i]
		at := p.storage.at(m.seq)
		first := !p.started
		p.started = true
		switch {
		case first && p.chained && at == p.after: // it is still there
			p.prev, p.last = at, m.seq
			continue
		case first && p.chained && p.local.born == m.seq && p.local.top == p.after:
			p.prev, p.last = p.after, m.seq
			continue
		case first && p.chained && p.local.first == m.seq && p.local.follows == p.after:
			p.prev = p.after
			if m.packet != nil && m.packet.flags&flagBirth != 0 {
				p.last = m.seq
				continue
			}
		}
		if len(p.entries) == p.limit {
			p.full = true
			return
		}
		p.last = m.seq
		switch k := m.packet; {
		case k == nil, k.flags&flagNoChain != 0: // not a message of this topic's history
		case k.flags&flagBirth != 0:
			p.prev = at
		default:
			e := &k.entry
			e.Position, e.Time, e.Prev = at, m.time, p.prev
			if e.Prev.IsZero() {
				e.Prev = p.storage.at(m.seq - 1) // a place after whatever was dropped
			}
			p.entries = append(p.entries, e)
			p.prev = at
		}
	}
}

// expired reports whether a topic without messages has only expired, and nothing after p.after was
// missed.
func (p *page) expired() bool { return p.chained && p.local.top == p.after && p.local.recent }

// top returns the position of the topic's last message, which has the sequence last.
func (p *page) top(last uint64) hub.Position {
	if last == p.local.born && last > 0 {
		return p.local.top
	}
	return p.storage.at(last)
}

// Present implements [hub.Engine].
func (e *Engine) Present(ctx context.Context, topic string) ([]hub.Presence, error) {
	if e.closed.Load() {
		return nil, errClosed
	}
	return e.presence.in(ctx, topic)
}
