package stream

import (
	"context"
	stderrors "errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/isosocket/isosocket/errors"
)

const (
	// RateBurst is the number of seconds for which an unused rate accumulates: that much may
	// arrive at once.
	RateBurst = 5
	// rateBatches is the number of parts in which the rate of a second is taken. It avoids
	// reading the clock for each message.
	rateBatches = 16
	// idleLooks is the number of checks for messages within Limits.Idle.
	idleLooks = 8
)

// Limits bound the rate at which a peer may send, and the time without messages. 0 is no limit.
type Limits struct {
	// Messages and Bytes are the most that may arrive per second. Up to 5 seconds' worth may
	// arrive at once. Pings and pongs count as messages. Bytes counts the bytes on the wire,
	// and for a compressed message also those of its data.
	Messages, Bytes int
	// Close ends a connection that exceeds Messages or Bytes, with code 1008. Otherwise the
	// connection is read more slowly.
	Close bool
	// Idle ends a connection without a message in either direction for that long, or an
	// eighth longer, with code 1001.
	Idle time.Duration
}

// intake applies Limits to a connection. The holder of the turn to read uses it.
type intake struct {
	messages, bytes bucket
	closes          bool
	until           time.Time     // do not read before this time
	wake            chan struct{} // ends a pause

	active atomic.Bool // a message was received since the last check
	idle   time.Duration

	// The fields below are guarded by liveness.timers.
	looker *time.Timer // checks for messages
	sent   uint64      // Traffic.sent at the last check
	last   time.Time   // when there was a message, or shortly after
}

// newIntake returns nil if there are no limits.
func newIntake(l Limits) *intake {
	if l == (Limits{}) {
		return nil
	}
	return &intake{
		messages: newBucket(l.Messages),
		bytes:    newBucket(l.Bytes),
		closes:   l.Close,
		wake:     make(chan struct{}, 1),
		idle:     l.Idle,
	}
}

// bucket takes parts of a rate from a limiter.
type bucket struct {
	limiter *rate.Limiter // nil for no limit
	taken   int           // from the limiter, not used yet
}

func newBucket(perSecond int) bucket {
	if perSecond <= 0 {
		return bucket{}
	}
	return bucket{limiter: rate.NewLimiter(rate.Limit(perSecond), RateBurst*perSecond)}
}

// use takes n from the bucket. If mayWait, it returns how long to wait before the next use.
// Otherwise ok is false if n exceeds the rate.
func (b *bucket) use(n int, mayWait bool) (wait time.Duration, ok bool) {
	if b.limiter == nil {
		return 0, true
	}
	if b.taken -= n; b.taken >= 0 {
		return 0, true
	}
	now, lacks := time.Now(), -b.taken
	part := max(lacks, int(b.limiter.Limit())/rateBatches)
	if !mayWait {
		if !b.limiter.AllowN(now, part) {
			if part = lacks; !b.limiter.AllowN(now, part) {
				return 0, false
			}
		}
		b.taken += part
		return 0, true
	}
	b.taken += part
	for part > 0 { // a limiter reserves no more than its burst at once
		step := min(part, b.limiter.Burst())
		part -= step
		wait = b.limiter.ReserveN(now, step).DelayFrom(now)
	}
	return wait, true
}

// exceeded is the error of a connection that must end with code 1008.
type exceeded struct {
	limit   Limit
	message string
}

func (e *exceeded) Error() string { return e.message }

// errPaused reports that reading is paused.
var errPaused = stderrors.New("stream: the peer has sent too much")

// countMessage counts a message or a control frame.
func (t *Transport) countMessage() error {
	t.intake.busy()
	return t.count(&t.intake.messages, 1, LimitMessageRate)
}

// busy records that there was a message, or a part of one.
func (in *intake) busy() {
	if in != nil && !in.active.Load() {
		in.active.Store(true)
	}
}

// countControl counts a control frame.
func (t *Transport) countControl() error {
	if t.intake == nil {
		return nil
	}
	return t.count(&t.intake.messages, 1, LimitMessageRate)
}

// countBytes counts bytes that were received or decompressed.
func (t *Transport) countBytes(n int) error {
	if t.intake == nil {
		return nil
	}
	return t.count(&t.intake.bytes, n, LimitByteRate)
}

func (t *Transport) count(b *bucket, n int, limit Limit) error {
	in := t.intake
	wait, ok := b.use(n, !in.closes)
	switch {
	case !ok:
		what := "messages"
		if limit == LimitByteRate {
			what = "bytes"
		}
		return &exceeded{limit, fmt.Sprintf("more than %v %s a second, which is the limit", b.limiter.Limit(), what)}
	case wait > 0:
		if until := time.Now().Add(wait); until.After(in.until) {
			in.until = until
		}
		t.struck(limit)
	}
	return nil
}

// paused reports whether reading is paused.
func (in *intake) paused() bool { return in != nil && !in.until.IsZero() }

// pause waits until more may be read. Called with the turn.
func (t *Transport) pause(ctx context.Context, wait bool) error {
	// Answers must not wait for input that is not read.
	t.setUnread(false)
	t.writeDeferred()
	if wait {
		t.watch(ctx)
	}
	for {
		rest := time.Until(t.intake.until)
		if rest <= 0 {
			t.intake.until = time.Time{}
			return nil
		}
		if !wait {
			return errPaused
		}
		// Code that ends the pause first sets the state that is checked here.
		if err := t.whyInterrupted(ctx); err != nil {
			return err
		}
		if t.released.Load() {
			return net.ErrClosed
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-t.intake.wake:
			timer.Stop()
		}
	}
}

// interrupt ends a pause, or the next one.
func (in *intake) interrupt() {
	if in == nil {
		return
	}
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// watchIdle starts the checks for messages.
func (t *Transport) watchIdle() {
	if t.intake == nil || t.intake.idle <= 0 {
		return
	}
	t.timers.Lock()
	defer t.timers.Unlock()
	t.intake.last = time.Now()
	t.intake.looker = time.AfterFunc(t.intake.idle/idleLooks, t.lookForMessages)
}

// lookForMessages ends the connection if there was no message for too long.
func (t *Transport) lookForMessages() {
	t.mu.Lock()
	sent := t.traffic.sent
	t.mu.Unlock()
	t.timers.Lock()
	in := t.intake
	if in.looker == nil {
		t.timers.Unlock()
		return
	}
	if in.active.Swap(false) || sent != in.sent {
		in.sent, in.last = sent, time.Now()
	}
	idle := time.Since(in.last) >= in.idle
	if !idle {
		in.looker.Reset(in.idle / idleLooks)
	}
	t.timers.Unlock()
	if idle && t.ending.Cause() == nil {
		t.struck(LimitIdle)
		t.Fail(&errors.ConnectionClosed{Reason: errors.GoingAway, Message: fmt.Sprintf("no message for %v", in.idle)})
	}
}

// stopIdle stops the checks at the end of the connection.
func (t *Transport) stopIdle() {
	if t.intake == nil {
		return
	}
	t.timers.Lock()
	defer t.timers.Unlock()
	if t.intake.looker != nil {
		t.intake.looker.Stop()
		t.intake.looker = nil
	}
}
