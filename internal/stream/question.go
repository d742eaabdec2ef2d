package stream

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/isosocket/isosocket/internal/rfc6455"
)

// question is a call of Ping that waits for an answer.
type question struct {
	sent time.Duration      // when its ping was sent, which is also the ping's payload
	took chan time.Duration // receives the answer; buffered
	next *question
}

// Ping implements driver.Pinger. A peer may answer only the last of several pings (RFC 6455,
// section 5.5.3), so a pong also answers all earlier pings.
func (t *Transport) Ping(ctx context.Context) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q := &question{took: make(chan time.Duration, 1)}
	defer t.withdraw(q)
	if err := t.ask(ctx, q); err != nil {
		return 0, err
	}
	if t.interruptible() {
		go t.readInBackground() // returns at once if another goroutine reads
	}
	select {
	case took := <-q.took:
		return took, nil
	case <-t.ending.Done():
		return 0, errEnded
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// ask sends the ping of q. It blocks while too many control frames are queued. After the
// end, it sends nothing.
func (t *Transport) ask(ctx context.Context, q *question) error {
	for {
		var payload [8]byte
		binary.BigEndian.PutUint64(payload[:], uint64(t.put(q)))
		if t.sendControl(rfc6455.OpPing, payload[:]) {
			return nil
		}
		t.withdraw(q)
		if more, err := t.awaitControl(ctx); err != nil || !more {
			return err
		}
	}
}

// put adds q to the questions, with the current time as the time of its ping.
func (l *liveness) put(q *question) time.Duration {
	l.timers.Lock()
	defer l.timers.Unlock()
	q.sent = l.now()
	q.next, l.asked = l.asked, q
	return q.sent
}

// withdraw removes q, unless it was answered.
func (l *liveness) withdraw(q *question) {
	l.timers.Lock()
	defer l.timers.Unlock()
	for at := &l.asked; *at != nil; at = &(*at).next {
		if *at == q {
			*at = q.next
			return
		}
	}
}

// answer answers the questions asked at sent or before, and reports whether one was asked
// exactly at sent. timers is held.
func (l *liveness) answer(sent, took time.Duration) (exactly bool) {
	for at := &l.asked; *at != nil; {
		q := *at
		if q.sent > sent {
			at = &q.next
			continue
		}
		exactly = exactly || q.sent == sent
		select {
		case q.took <- took:
		default: // answered before, and put again
		}
		*at = q.next
	}
	return exactly
}
