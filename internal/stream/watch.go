package stream

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// lastWords is how long the reader has, after a failed write, to find the cause of the end of
// the connection.
const lastWords = time.Second

// watchOver starts the timer of t's liveness.
func (t *Transport) watchOver(o Options) {
	began := time.Now()
	now := time.Duration(began.UnixNano()) % beat
	t.start = clock() - now
	t.liveness.begin(o, now, t.interruptible())
	// The timer comes last: its function reads the other fields. On a busy machine it
	// may fire before New returns.
	t.timers.Lock()
	defer t.timers.Unlock()
	if next, ok := t.due(); ok {
		t.timer = time.AfterFunc(next-now, t.tick)
	}
}

// tick carries out the actions that are due. One timer serves all of them, because there may
// be very many connections.
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
	// This comes last, because it may continue as the background reader.
	if due.absent {
		t.checkAbsence()
	}
}

// checkAbsence reads in the background if the connection had no reader for a whole period.
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

// hearsNothing reports whether the peer is silent although this side listens: all received
// bytes were read, and none arrived since the last check.
func (t *Transport) hearsNothing() bool { return t.caughtUp() && !t.heardOf.Load() }

// caughtUp reads the bytes that have arrived, for an application that receives slowly, and
// reports whether all of them are now read. It reports false if the receive buffer is full, or
// if only another goroutine can tell. The caller should then try again soon.
func (t *Transport) caughtUp() bool {
	if !t.socket.usable() {
		// If a read is under way, no bytes are available. Otherwise start one.
		waits := t.waits.Load()
		if !waits && t.interruptible() {
			go t.readInBackground()
		}
		return waits
	}
	t.takeTurn()
	defer t.reading.Unlock()
	if t.parked {
		return !t.readable() // input wakes the reader
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

// heard records that bytes arrived from the peer. It does not read the clock,
// because it is called for every read.
func (t *Transport) heard() {
	if t.interval > 0 && !t.heardOf.Load() {
		t.heardOf.Store(true)
	}
	if t.counting {
		t.arrivals.Add(1)
	}
}

// Arrivals implements driver.ArrivalCounter. It counts reads. Nothing can arrive
// while the application does not receive and its receive buffer is full.
func (t *Transport) Arrivals() (n uint64, listening bool) {
	listening = t.inbox.Bytes() < int(t.receiveBuffer) && (!t.unread.Load() || t.caughtUp())
	return uint64(t.arrivals.Load()), listening
}

// acknowledgement is the system's send state of a TCP connection.
type acknowledgement struct {
	bytes  uint32 // acknowledged by the peer's system, modulo 1<<32
	unsent bool   // some bytes were not sent even once
	closed bool   // they wait because the peer's receive window is closed, not because of the network
}

// Departures implements driver.DepartureCounter.
func (t *Transport) Departures() (n uint64, waiting bool, patience time.Duration) {
	out := t.outgoing()
	if out.closed {
		patience = windowStep
	}
	return uint64(out.taken), out.waits, patience
}

// outgoing returns whether the peer takes the output. The system knows that best. It may
// hold megabytes, and take more from the writer only after a third of that has been
// acknowledged.
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

// expectEnd ends the connection some time after a failed write, if the reader does not find
// the end before.
func (t *Transport) expectEnd(err error) {
	time.AfterFunc(lastWords, func() { // does nothing after the end
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
