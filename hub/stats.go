package hub

import (
	"sync/atomic"
	"time"
)

// Trace has functions that a [Hub] calls when something happens; nil ones are not called.
// Many goroutines call them at the same time, some with locks held: they must return soon,
// and must not call the Hub or a [Membership].
type Trace struct {
	// Joined is called after a Join, Left after a membership has ended otherwise than with
	// the Hub.
	Joined, Left func(topic string)
	// Delivered is called after a message was queued for the members here that are up to
	// date, with their number and the time that it took.
	Delivered func(topic string, members int, took time.Duration)
	// Slow is called when a member turns out to read too slowly, before the policy is
	// applied.
	Slow func(topic string, policy SlowPolicy)
	// CaughtUp is called when a member is up to date again that was too slow or has joined
	// from an earlier position, with the number of messages that it got meanwhile and how
	// long it was behind.
	CaughtUp func(topic string, messages int, behind time.Duration)
	// Gap is called when a gap is reported to a member, or its connection is closed because of it.
	Gap func(g *Gap)
	// Repaired is called after messages that the engine had lost on the way were looked
	// for in history, with the number of those that were found there.
	Repaired func(topic string, messages int, took time.Duration)
	// Failed is called when a call of the engine has failed and will be repeated.
	Failed func(topic string, err error)
}

// Stats are the figures of a [Hub]. Counters count since New.
type Stats struct {
	// Topics, Connections and Members are the current numbers. A connection counts from its
	// first Join until its end.
	Topics, Connections, Members int
	// Behind is how many members catch up now, and Lag is how long the first of them has
	// been behind. A member that has read nothing makes Lag grow until its connection
	// ends.
	Behind int
	Lag    time.Duration
	// Published counts successful calls of Publish here, Delivered messages that were
	// queued for members, and Recovered those of them that came from history, or late.
	Published, Delivered, Recovered uint64
	// Slow counts how often a member turned out to be too slow, CaughtUp how often one was
	// up to date again.
	Slow, CaughtUp uint64
	// Gaps counts gaps that were reported to members, Disconnected connections that were
	// closed for a gap or for being too slow.
	Gaps, Disconnected uint64
	// Failures counts calls of the engine that failed and were repeated.
	Failures uint64
}

type counters struct {
	members                         atomic.Int64
	published, delivered, recovered atomic.Uint64
	slow, caughtUp                  atomic.Uint64
	gaps, disconnected, failures    atomic.Uint64
}

// Stats returns the current figures.
func (h *Hub) Stats() Stats {
	c := &h.stats
	s := Stats{
		Members:   int(c.members.Load()),
		Published: c.published.Load(), Delivered: c.delivered.Load(), Recovered: c.recovered.Load(),
		Slow: c.slow.Load(), CaughtUp: c.caughtUp.Load(),
		Gaps: c.gaps.Load(), Disconnected: c.disconnected.Load(), Failures: c.failures.Load(),
	}
	h.mu.RLock()
	s.Topics, s.Connections = len(h.topics), len(h.peers)
	h.mu.RUnlock()
	behind, since := h.catchUps.lag()
	s.Behind = behind
	if behind > 0 {
		s.Lag = time.Since(since)
	}
	return s
}
