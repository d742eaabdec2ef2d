package nats

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	natsio "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// soon is how long the keeper waits before it checks again when something is unsure.
	soon = 200 * time.Millisecond
	// patience is how often the stream's last sequence may be below that of a stored message,
	// one after the other, before it counts as lost.
	patience = 10
	// atOnce is how many topics one request compares: the most that nats-server permits.
	atOnce = 1024
)

// keeper compares the topics with the stream.
type keeper struct {
	urgent     atomic.Bool // compare even if the stream seems unchanged
	overflowed atomic.Bool
	sure       atomic.Int64 // when the last comparison of all topics began, as time since start
	start      time.Time

	// Of the keeper's goroutine.
	checked uint64 // all messages up to it have been compared
	behind  int    // how often the stream was behind
	// before and beforeAt are the stream's last sequence some time ago. A server that stores
	// the stream has it by now.
	before   uint64
	beforeAt time.Duration
}

// recent reports whether all topics have been compared such a short time ago that no message that
// came after that can have expired.
func (k *keeper) recent(s *storage) bool {
	sure := k.sure.Load()
	return sure > 0 && (s.age == 0 || time.Since(k.start)-time.Duration(sure) < s.age/2)
}

// keep runs until the engine is closed.
func (e *Engine) keep() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e.work.Go(func() {
		select {
		case <-e.ended:
		case <-ctx.Done():
		}
		cancel()
	})
	led := e.watchLeader()
	ticker := time.NewTicker(e.options.Check)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-e.poke:
		case <-led:
			e.keeper.urgent.Store(true)
		case <-e.ended:
			return
		}
		for e.checkAll(ctx) {
			if !e.sleep(ctx, soon) {
				return
			}
		}
	}
}

// watchLeader returns a channel of announcements that a stream has a new leader. What the one
// before has stored, but not republished, is found by comparison.
func (e *Engine) watchLeader() <-chan *natsio.Msg {
	if e.js == nil {
		return nil
	}
	led := make(chan *natsio.Msg, 16) // those beyond mean the same
	if _, err := e.nc.ChanSubscribe("$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.>", led); err != nil {
		e.report(e.linkError("subscribe", err))
	}
	return led
}

// checkAll checks, and reports whether to do it again soon.
func (e *Engine) checkAll(ctx context.Context) (again bool) {
	overflowed := e.keeper.overflowed.Swap(false)
	e.doubtUnstored(false)
	if e.js == nil || !e.nc.IsConnected() {
		return overflowed
	}
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	urgent := e.keeper.urgent.Swap(false)
	err := e.check(ctx, urgent || overflowed)
	if err != nil {
		e.keeper.urgent.Store(true)
		e.report(err)
	}
	return err != nil || overflowed
}

// check looks at the stream, and compares the topics with it.
func (e *Engine) check(ctx context.Context, urgent bool) error {
	began := time.Since(e.keeper.start)
	known := e.storage.Load()
	st, info, err := e.look(ctx, known, e.keeper.behind >= patience)
	if errors.Is(err, errBehind) {
		e.keeper.behind++
		return err
	}
	if err != nil {
		return err
	}
	e.keeper.behind = 0
	if st.stream != known.stream || st.epoch != known.epoch {
		e.replace(st, info)
		return nil
	}
	if *st != *known {
		e.storage.Store(st)
	}
	highest := info.State.LastSeq
	st.saw(highest)
	if e.keeper.checked > 0 && info.State.FirstSeq > e.keeper.checked+1 {
		// Messages have been dropped that no comparison has seen.
		e.doubtAll(st, info.State.FirstSeq)
	}
	var old, fresh []*topic
	for _, t := range e.all() {
		t.mu.Lock()
		switch {
		case t.top.IsZero(), t.top.Epoch() != st.epoch && !t.unstored: // not begun yet
		case t.covered:
			old = append(old, t)
		default:
			fresh = append(fresh, t)
		}
		t.mu.Unlock()
	}
	upTo := highest
	compared := func(topics []*topic, from uint64) error {
		for len(topics) > 0 {
			n := min(len(topics), atOnce)
			to, err := e.compare(ctx, st, topics[:n], from)
			if err != nil {
				return err
			}
			if to == 0 { // there were no messages, as far as the server that answered knew
				to = max(e.keeper.checked, e.keeper.before)
			}
			upTo = min(upTo, to)
			topics = topics[n:]
		}
		return nil
	}
	if highest != e.keeper.checked || urgent {
		if err := compared(old, e.keeper.checked+1); err != nil {
			return err
		}
	}
	if err := compared(fresh, 0); err != nil {
		return err
	}
	e.keeper.checked = upTo
	if began-e.keeper.beforeAt > time.Second {
		e.keeper.before, e.keeper.beforeAt = highest, began
	}
	e.keeper.sure.Store(int64(began))
	return nil
}

// replace makes another storage the one of this engine. What is in it has other positions.
func (e *Engine) replace(st *storage, info *jetstream.StreamInfo) {
	e.keeper.sure.Store(0)
	e.keeper.checked, e.keeper.before = 0, 0
	st.saw(info.State.LastSeq)
	e.storage.Store(st)
	if e.options.Trace.Storage != nil {
		e.options.Trace.Storage(st.stream)
	}
	e.doubtAll(st, 0)
}

// doubtAll tells all subscribers to ask. first is the first message of the stream.
func (e *Engine) doubtAll(st *storage, first uint64) {
	n := 0
	for _, t := range e.all() {
		t.mu.Lock()
		if !t.gone && !t.unstored && !t.top.IsZero() {
			if t.top.Epoch() != st.epoch {
				// Where the subscribers will be, when they have asked.
				t.top, t.seq = st.at(0), 0
			} else if t.top.Offset() < first {
				t.top = st.at(0)
			}
			t.born, t.first, t.covered, t.late = 0, 0, false, false
			t.doubt()
			n++
		}
		t.mu.Unlock()
	}
	e.doubted(n)
}

// compare compares the last messages of topics, those from a sequence on, with what has
// arrived. It returns up to which sequence it has compared, 0 if that is not known.
func (e *Engine) compare(ctx context.Context, st *storage, topics []*topic, from uint64) (upTo uint64, err error) {
	subjects := make([]string, len(topics))
	bySubject := make(map[string]*topic, len(topics))
	for i, t := range topics {
		subjects[i] = e.storedSubject(t.token)
		bySubject[subjects[i]] = t
	}
	ahead := map[*topic]stored{}
	for {
		a, err := e.batch(ctx, st.stream, getRequest{Seq: from, MultiLast: subjects})
		if err != nil {
			return 0, err
		}
		for _, m := range a.messages {
			from = m.seq + 1
			t := bySubject[m.subject]
			if t == nil {
				continue
			}
			t.mu.Lock()
			if m.seq > t.seq {
				ahead[t] = m
			}
			t.mu.Unlock()
		}
		if a.pending == 0 {
			upTo = a.upTo // none if there were no messages
			break
		}
	}
	for _, t := range topics {
		t.mu.Lock()
		t.covered = true
		t.mu.Unlock()
	}
	if len(ahead) == 0 {
		return upTo, nil
	}
	// Most of them are on their way.
	if !e.sleep(ctx, soon/2) {
		return 0, ctx.Err()
	}
	n := 0
	for t, m := range ahead {
		t.mu.Lock()
		if m.seq > t.seq && !t.gone {
			follows := t.top.Epoch() == st.epoch && e.keeper.recent(st) && m.packet != nil && m.packet.flags&flagBirth != 0
			t.seq = m.seq
			switch {
			case m.packet == nil, m.packet.flags&flagNoChain != 0, t.unstored && m.packet.flags&flagBirth != 0:
			case follows:
				t.born = m.seq
			default:
				t.top, t.born, t.unstored = st.at(m.seq), 0, false
				t.doubt()
				n++
			}
		}
		t.mu.Unlock()
	}
	e.doubted(n)
	return upTo, nil
}
