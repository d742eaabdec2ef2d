package stream

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// lastWords is how long the reader has, after a failed write, to find out
// why the connection ended.
const lastWords = time.Second

// watchOver starts the timer of t's liveness.
func (t *Transport) watchOver(o Options) {
	began := time.Now()
	now := time.Duration(began.UnixNano()) % beat
	t.start = clock() - now
	t.liveness.begin(o, now, t.interruptible())
	// The timer comes last: what it runs reads the rest. On a busy machine it
	// fires before New is through.
	t.timers.Lock()
	defer t.timers.Unlock()
	if next, ok := t.due(); ok {
		t.timer = time.AfterFunc(next-now, t.tick)
	}
}

// tick does what is due. There is one timer for all that, because there may be
// very many connections.
func (t *Transport) tick() {
	var out outgoing
	if t.interval > 0 {
		out = t.outgoing()
	}
	t.timers.Lock()
	if t.timer == nil {
		t.timers.Unlock()
		return
	}
	now := t.now()
	due := t.plan(now, out)
	t.schedule(now)
	t.timers.Unlock()

	if due.ping {
		t.sendControl(rfc6455.OpPing, due.payload[:])
	}
	if due.verdict == peerDeaf || due.verdict == peerSilent && t.hearsNothing() {
		t.Fail(&errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: ws.PingTimeoutMessage})
	}
	// Comes last, since it may stay to read.
	if due.absent {
		t.checkAbsence()
	}
}

// checkAbsence lends a background reader to a connection that had no reader
// for a whole period.
func (t *Transport) checkAbsence() {
	if !t.reading.TryLock() {
		return
	}
	over, moved := t.over || t.parked, t.reads != t.seen
	t.seen = t.reads
	t.reading.Unlock()
	switch {
	case over:
	case moved:
		t.noticeAbsence()
	default:
		t.readInBackground()
	}
}

// hearsNothing reports whether the peer is silent although this side listens: all that
// has come was read, and nothing of it since the last look.
func (t *Transport) hearsNothing() bool { return t.caughtUp() && !t.heardOf.Load() }

// caughtUp reads what has come, for an application that takes its time, and reports
// whether that is now all. It is not if the receive buffer is full, or if only another
// goroutine can find out; then it is right to ask again soon.
func (t *Transport) caughtUp() bool {
	if !t.socket.usable() {
		// If a read is under way nothing has come. Otherwise one is begun.
		waits := t.waits.Load()
		if !waits && t.interruptible() {
			go t.readInBackground()
		}
		return waits
	}
	t.takeTurn()
	defer t.reading.Unlock()
	if t.parked {
		return !t.readable() // what has come wakes the reader
	}
	for !t.over && t.inbox.Bytes() < int(t.receiveBuffer) {
		if t.decoder.InParts() {
			if more, err := t.readAhead(false); !more || err != nil {
				return err == errNothingYet
			}
			continue
		}
		m, err := t.next(context.Background(), nil, false)
		if err != nil {
			return err == errNothingYet
		}
		t.lent = true
		t.keep(m)
	}
	return false
}

// heard notes that something came from the peer. It does not ask the clock,
// because it is called for every read.
func (t *Transport) heard() {
	if t.interval > 0 && !t.heardOf.Load() {
		t.heardOf.Store(true)
	}
	if t.counting {
		t.arrivals.Add(1)
	}
}

// Arrivals implements driver.ArrivalCounter: it counts reads. Nothing can come
// while the application receives nothing and its receive buffer is full.
func (t *Transport) Arrivals() (n uint64, listening bool) {
	listening = t.inbox.Bytes() < int(t.receiveBuffer) && (!t.unread.Load() || t.caughtUp())
	return uint64(t.arrivals.Load()), listening
}

// acknowledgement is what the system knows about a TCP connection.
type acknowledgement struct {
	bytes  uint32 // acknowledged by the peer's system, modulo 1<<32
	unsent bool   // some bytes were not sent even once
	closed bool   // because the peer's receive window is closed, not because of the network
}

// Departures implements driver.DepartureCounter.
func (t *Transport) Departures() (n uint64, waiting bool, patience time.Duration) {
	out := t.outgoing()
	if out.closed {
		patience = windowStep
	}
	return uint64(out.taken), out.waits, patience
}

// outgoing asks what was sent whether the peer takes it. The system knows best: it may
// hold megabytes, and have room for more of the writer's only once a third of that
// has gone.
func (t *Transport) outgoing() outgoing {
	gone, queued := t.writer.departed()
	if system, ok := acknowledged(t.rwc); ok {
		return outgoing{taken: system.bytes, waits: queued || system.unsent, queued: queued, closed: system.closed}
	}
	return outgoing{taken: uint32(gone), waits: queued, queued: queued}
}

// Fail implements driver.Failer.
func (t *Transport) Fail(cause *errors.ConnectionClosed) {
	switch {
	case t.takeOver(cause):
		t.fail(cause)
	case !t.interruptible() && t.ending.Set(cause):
		t.sendClose(cause.Reason, cause.Message)
		t.finish(t.awaitWritten)
	}
}

// expectEnd sees to it that the connection ends after a failed write, if the
// reader does not find the end by itself.
func (t *Transport) expectEnd(err error) {
	time.AfterFunc(lastWords, func() { // which has nothing to do after the end
		cause := lost(err)
		if t.takeOver(cause) || !t.interruptible() {
			t.ending.Set(cause)
			t.release()
		}
	})
	if t.interruptible() {
		go t.readInBackground()
	}
}
