//go:build !js

package server

import (
	"maps"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/stream"
)

// Stats is the state of an [Endpoint] and its counters since it was created, from
// [Endpoint.Stats]. Counters only grow.
type Stats struct {
	// Open is the number of connections whose function has not returned, as Len
	// returns it.
	Open int

	// Accepted is the number of accepted handshakes, and so the total number of
	// connections: those of Open and those of Closed.
	Accepted uint64
	// Refused is the number of handshakes answered with another status, by status.
	Refused map[int]uint64
	// Unanswered is the number of handshakes without an answer: the client was gone
	// before, or a function such as Authorize panicked.
	Unanswered uint64
	// Probes is the number of requests with which this library's client, in a browser,
	// asked why a handshake failed. They count nowhere else.
	Probes uint64

	// Received and Sent are the sums over all connections, open and closed. A message
	// counts as received when its last byte was read, whether or not the program has taken
	// it, and as sent when Send has queued it. Messages that arrived in one packet may
	// count only when the program has taken the last of them, at most 100 ms late.
	Received, Sent Traffic

	// Unsent is how many bytes wait to be sent, over all open connections, including
	// framing. Only data in this process counts.
	Unsent int64
	// Unreceived is how many bytes of messages have been read and wait to be received,
	// over all open connections, with 32 bytes for each message besides its data.
	Unreceived int64
	// Memory is how many bytes the open connections hold for their peers, as
	// Limits.MaxMemory counts them: Unsent, Unreceived, partly received messages, and the
	// state of compression.
	Memory int64
	// Full is the number of open connections whose Send waits for space, because
	// Options.SendBuffer is used up: their peers read too slowly.
	Full int

	// Closed is the number of connections that have ended, by reason and side. A
	// connection counts as open until its function has returned.
	Closed map[Closing]uint64
	// Limits is how often each limit was reached.
	Limits map[Limit]uint64

	// HandshakeTimes are from the call of ServeHTTP to the answer, of accepted handshakes.
	HandshakeTimes Histogram
	// RoundTrips are the round-trip times of pings, one for each ping that was answered.
	RoundTrips Histogram
	// ConnectionTimes are the durations of the connections of Closed.
	ConnectionTimes Histogram
}

// Traffic is the amount of data that one or more connections carried in one direction.
type Traffic struct {
	// Messages includes heartbeats that are answered without the application.
	Messages uint64
	// Bytes is the size of the messages' data, before compression.
	Bytes uint64
	// WireBytes is the size of all frames after the handshake, as written and read:
	// with headers and control frames, after compression, and before TLS.
	WireBytes uint64
}

// Closing says how a connection ended.
type Closing struct {
	// Reason is the reason of the first side that closed, or
	// [errors.AbnormalClosure] if the connection was lost.
	Reason errors.CloseReason
	// ByPeer reports whether the peer has chosen the reason.
	ByPeer bool
}

// Histogram counts durations by how long they are.
type Histogram struct {
	// Count is the number of durations, and Sum their sum.
	Count uint64
	Sum   time.Duration
	// Buckets are in ascending order of UpperBound. Durations over the last bound are
	// only in Count and Sum.
	Buckets []Bucket
}

// Bucket is the number of durations up to a bound, including those of all smaller
// bounds.
type Bucket struct {
	// UpperBound belongs to the bucket.
	UpperBound time.Duration
	// Count is the number of durations up to UpperBound.
	Count uint64
}

// Quantile returns an estimate of the duration that the share q (0 to 1) of the
// durations does not exceed: the upper bound of its bucket. It returns 0 if there
// are no durations, and the largest bound if the duration is over it.
func (h Histogram) Quantile(q float64) time.Duration {
	if h.Count == 0 || len(h.Buckets) == 0 {
		return 0
	}
	for _, b := range h.Buckets {
		if float64(b.Count) >= q*float64(h.Count) && b.Count > 0 {
			return b.UpperBound
		}
	}
	return h.Buckets[len(h.Buckets)-1].UpperBound
}

const day = 24 * time.Hour

// newShortTimes and newLongTimes return counters of durations.
func newShortTimes() *stream.Durations {
	const ms = time.Millisecond
	return stream.NewDurations(ms/10, ms/4, ms/2, ms, 5*ms/2, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms, 500*ms,
		time.Second, 5*time.Second/2, 5*time.Second, 10*time.Second)
}

func newLongTimes() *stream.Durations {
	return stream.NewDurations(time.Second, 10*time.Second, time.Minute, 5*time.Minute, 15*time.Minute,
		time.Hour, 4*time.Hour, 12*time.Hour, day, 7*day)
}

func histogram(d *stream.Durations) Histogram {
	counts, sum := d.Counts()
	h := Histogram{Sum: sum, Buckets: make([]Bucket, len(d.Bounds()))}
	for i, n := range counts {
		h.Count += n
		if i < len(h.Buckets) {
			h.Buckets[i] = Bucket{d.Bounds()[i], h.Count}
		}
	}
	return h
}

// tally holds the counters of an Endpoint. Its maps and numbers are guarded by Endpoint.mu.
type tally struct {
	accepted   uint64
	refused    map[int]uint64
	unanswered uint64
	probes     uint64
	received   Traffic // of closed connections
	sent       Traffic
	closed     map[Closing]uint64

	handshakeTimes  *stream.Durations
	roundTrips      *stream.Durations
	connectionTimes *stream.Durations
}

func newTally() tally {
	return tally{
		refused:         make(map[int]uint64),
		closed:          make(map[Closing]uint64),
		handshakeTimes:  newShortTimes(),
		roundTrips:      newShortTimes(),
		connectionTimes: newLongTimes(),
	}
}

// refuse counts a request that was not accepted. Endpoint.mu is held.
func (c *tally) refuse(status int, probe bool) {
	switch {
	case probe:
		c.probes++
	case status == 0:
		c.unanswered++
	default:
		c.refused[status]++
	}
}

// close counts a connection that has ended. Endpoint.mu is held.
func (c *tally) close(r *ConnectionResult) {
	c.received.add(r.Received)
	c.sent.add(r.Sent)
	c.connectionTimes.Add(r.Duration)
	c.closed[Closing{r.Closed.Reason, r.Closed.Remote}]++
}

func (t *Traffic) add(o Traffic) {
	t.Messages += o.Messages
	t.Bytes += o.Bytes
	t.WireBytes += o.WireBytes
}

func traffic(c stream.Counts) Traffic { return Traffic{c.Messages, c.Data, c.Stream} }

// Stats returns the endpoint's counters. Connections continue while it adds up theirs. With
// 10,000 connections that takes about 1 ms of one processor, and a handshake or an end
// waits for at most half of it.
func (e *Endpoint) Stats() Stats {
	e.mu.Lock()
	c := &e.tally
	s := Stats{
		Open:            len(e.conns),
		Accepted:        c.accepted,
		Refused:         maps.Clone(c.refused),
		Unanswered:      c.unanswered,
		Probes:          c.probes,
		Received:        c.received,
		Sent:            c.sent,
		Closed:          maps.Clone(c.closed),
		ConnectionTimes: histogram(c.connectionTimes),
	}
	open := e.open()
	e.mu.Unlock()

	// A connection that ends meanwhile is in open, but not yet in the sums above.
	for _, ctx := range open {
		received, sent, waiting := ctx.transport.Traffic()
		s.Received.add(traffic(received))
		s.Sent.add(traffic(sent))
		s.Unsent += int64(waiting.Unsent)
		s.Unreceived += int64(waiting.Unreceived)
		s.Memory += int64(waiting.Memory)
		if waiting.Full {
			s.Full++
		}
	}
	s.Limits = e.limits.counts()
	s.HandshakeTimes = histogram(c.handshakeTimes)
	s.RoundTrips = histogram(c.roundTrips)
	return s
}
