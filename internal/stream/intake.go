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
	// rateBurst is for how many seconds an unused rate is saved up.
	rateBurst = 5
	// rateBatches is in how many parts the rate of a second is taken, so that the clock is
	// not asked for each message.
	rateBatches = 16
	// idleLooks is how often within Limits.Idle is looked for messages.
	idleLooks = 8
)

// Limits are what a peer may send, and for how long nothing may be sent. 0 is no limit.
type Limits struct {
	// Messages and Bytes are how many may come in a second. Up to 5 seconds' worth may come
	// at once. Pings and pongs count as messages. Bytes are those on the wire, and for
	// a compressed message those of its data, too.
	Messages, Bytes int
	// Close ends a connection that exceeds Messages or Bytes, with code 1008. Otherwise it is
	// read more slowly.
	Close bool
	// Idle ends a connection without a message in either direction for that long, or an
	// eighth longer, with code 1001.
	Idle time.Duration
}

// intake applies Limits to a connection. The holder of the turn to read uses it.
type intake struct {
	messages, bytes bucket
	closes          bool
	until           time.Time     // nothing is to be read before
	wake            chan struct{} // ends a pause

	active atomic.Bool // a message came since the last look
	idle   time.Duration

	// What follows is guarded by liveness.timers.
	looker *time.Timer // looks for messages
	sent   uint64      // Traffic.sent at the last look
	last   time.Time   // when there was a message, or a time not long after it
}

// newIntake returns nil where nothing is limited.
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

// bucket is a rate, of which parts are taken from a limiter.
type bucket struct {
	limiter *rate.Limiter // nil for no limit
	taken   int           // from the limiter, and not used
}

func newBucket(perSecond int) bucket {
	if perSecond <= 0 {
		return bucket{}
	}
	return bucket{limiter: rate.NewLimiter(rate.Limit(perSecond), rateBurst*perSecond)}
}

// use uses n. If mayWait, it returns for how long nothing more is to be used. Otherwise ok is
// false if that was too much.
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

// exceeded says that a connection is to end with code 1008.
type exceeded struct {
	limit   Limit
	message string
}

func (e *exceeded) Error() string { return e.message }

// errPaused says that nothing is to be read now.
var errPaused = stderrors.New("stream: the peer has sent too much")

// countMessage counts a message or a control frame.
func (t *Transport) countMessage() error {
	t.intake.busy()
	return t.count(&t.intake.messages, 1, LimitMessageRate)
}

// busy notes that there was a message, or a part of one.
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

// countBytes counts bytes that came, or that were inflated.
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

// paused reports whether nothing is to be read before some time.
func (in *intake) paused() bool { return in != nil && !in.until.IsZero() }

// pause waits until more may be read. Called with the turn.
func (t *Transport) pause(ctx context.Context, wait bool) error {
	// Answers must not wait for what is not read.
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
		// Who ends the pause first sets what is looked at here.
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

// watchIdle begins to look for messages.
func (t *Transport) watchIdle() {
	if t.intake == nil || t.intake.idle <= 0 {
		return
	}
	t.timers.Lock()
	defer t.timers.Unlock()
	t.intake.last = time.Now()
	t.intake.looker = time.AfterFunc(t.intake.idle/idleLooks, t.lookForMessages)
}

// lookForMessages ends the connection if there was none for too long.
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

// stopIdle is for the end of the connection.
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
