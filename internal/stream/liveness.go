package stream

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

const (
	// absence is how long a connection may have no reader, at least, before it is
	// lent one.
	absence = 100 * time.Millisecond
	// lastWords is how long the reader has, after a failed write, to find out
	// why the connection ended.
	lastWords = time.Second
	// beat is how exactly things are done that need not be punctual. A process
	// with very many connections wakes up at beats, for all that are due at one,
	// rather than for each. It is short, or very many goroutines would run at once.
	beat = 10 * time.Millisecond
)

// liveness notices what no call of the user's would: that nobody reads, that
// the peer is silent.
type liveness struct {
	armed atomic.Bool // checkAbsence is due at absentAt; set with timers held
	seen  uint32      // reader.reads when checkAbsence last looked; the turn's

	pingInterval time.Duration // 0: no pings
	pingTimeout  time.Duration
	start        time.Duration // on clock: a beat before the connection began
	heardOf      atomic.Bool   // something was read since checkPing last looked
	counting     bool          // a heartbeat asks for Arrivals
	stopped      bool          // the timers; guarded by timers
	latency      atomic.Int64

	timers   sync.Mutex    // guards what is below
	timer    *time.Timer   // runs tick for what is due next
	absentAt time.Duration // when to checkAbsence, since start, if armed
	pingAt   time.Duration // when to checkPing, since start, if there are pings
	looked   time.Duration // when checkPing last looked, since start
	quiet    time.Duration // since when nothing has come, at the latest
	stuck    time.Duration // when checkPing first saw that the peer takes nothing; 0: it does
	pings    uint64        // the payload of the last one
	pinged   time.Duration // when it was sent, since start; 0: it was answered
	giveUp   *time.Timer   // after a failed write
}

func (l *liveness) init(t *Transport, o Options) {
	l.pingInterval, l.pingTimeout = max(o.PingInterval, 0), o.PingTimeout
	if l.pingTimeout <= 0 {
		l.pingTimeout = DefaultPingTimeout
	}
	began := time.Now()
	now := time.Duration(began.UnixNano()) % beat
	l.start = clock() - now
	l.counting = o.Config.Heartbeat != nil
	l.armed.Store(t.interruptible())
	l.absentAt = onBeat(now + absence)
	l.looked, l.quiet = now, now
	l.pingAt = min(onBeat(now+l.pingInterval/4), now+l.pingInterval)
	// The timer comes last: what it runs reads the rest. On a busy machine it
	// fires before init is through.
	l.timers.Lock()
	defer l.timers.Unlock()
	if next, ok := l.due(); ok {
		l.timer = time.AfterFunc(next-now, t.tick)
	}
}

// onBeat puts off what need not be punctual to the next beat of the clock,
// which is the same for all connections.
func onBeat(at time.Duration) time.Duration { return (at + beat - 1).Truncate(beat) }

// due says when tick has something to do next, since start, if ever. Called
// with timers held.
func (l *liveness) due() (at time.Duration, ok bool) {
	armed := l.armed.Load()
	switch {
	case l.pingInterval <= 0:
		return l.absentAt, armed
	case armed:
		return min(l.absentAt, l.pingAt), true
	}
	return l.pingAt, true
}

// schedule makes the timer run for what is due next. Called with timers held.
func (l *liveness) schedule(now time.Duration) {
	if next, ok := l.due(); ok && !l.stopped {
		l.timer.Reset(next - now)
	}
}

// tick does what is due. There is one timer for all that, because there may be
// very many connections.
func (t *Transport) tick() {
	t.timers.Lock()
	if t.stopped {
		t.timers.Unlock()
		return
	}
	now := clock() - t.start
	absent := t.armed.Load() && now >= t.absentAt
	if absent {
		// Before the look: a reader that leaves after it will arm the timer again.
		t.armed.Store(false)
	}
	verdict := peerSpoke
	if t.pingInterval > 0 && now >= t.pingAt {
		verdict = t.checkPing(now)
	}
	payload := t.pings
	t.schedule(now)
	t.timers.Unlock()

	switch verdict {
	case peerQuiet:
		t.sendControl(rfc6455.OpPing, binary.BigEndian.AppendUint64(nil, payload))
	case peerSilent:
		t.failSilent()
	case peerDeaf:
		t.failPing()
	}
	// Comes last, since it may stay to read.
	if absent {
		t.checkAbsence()
	}
}

// noticeAbsence begins to watch whether anybody comes to read again. A reader
// calls it when it has given up the turn.
func (t *Transport) noticeAbsence() {
	if t.armed.Load() {
		return
	}
	t.timers.Lock()
	defer t.timers.Unlock()
	if !t.armed.Load() {
		now := clock() - t.start
		t.armed.Store(true)
		t.absentAt = onBeat(now + absence)
		t.schedule(now)
	}
}

// checkAbsence lends a background reader to a connection that had no reader
// for a whole period.
func (t *Transport) checkAbsence() {
	if !t.reading.TryLock() {
		return
	}
	over, moved := t.over, t.reads != t.seen
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

// heard notes that something came from the peer. It does not ask the clock,
// because it is called for every read.
func (t *Transport) heard() {
	if t.pingInterval > 0 && !t.heardOf.Load() {
		t.heardOf.Store(true)
	}
	if t.counting {
		t.arrivals.Add(1)
	}
}

// Arrivals implements ws.ArrivalCounter: it counts reads. Nothing can come
// while the application receives nothing and its receive buffer is full.
func (t *Transport) Arrivals() (n uint64, listening bool) {
	return uint64(t.arrivals.Load()), t.inbox.Bytes() < t.receiveBuffer
}

// Fail implements ws.Failer.
func (t *Transport) Fail(cause *errors.ConnectionClosed) {
	switch {
	case t.takeOver(cause):
		t.fail(cause)
	case !t.interruptible() && t.ending.Set(cause):
		t.sendClose(cause.Reason, cause.Message)
		t.finish(t.awaitWritten)
	}
}

// What checkPing finds.
type verdict int

const (
	peerSpoke  verdict = iota // not long ago
	peerQuiet                 // for the interval: to be pinged
	peerSilent                // for the timeout, although it was pinged
	peerDeaf                  // it has taken nothing for interval and timeout, whatever it sent
)

// checkPing judges the peer by what came, and what left, since the last look,
// and says when to look again. Called with timers held.
func (t *Transport) checkPing(now time.Duration) verdict {
	again := t.pingInterval
	if t.heardOf.Swap(false) {
		// When exactly is not known, but not before the last look. Where something
		// comes, looks are close together, so that a silence is soon known.
		t.quiet, t.pinged = t.looked, 0
		again /= 4
	}
	t.looked = now
	switch {
	case !t.tookNothing():
		t.stuck = 0
	case t.stuck == 0:
		t.stuck = now
	case now >= t.stuck+t.pingInterval+t.pingTimeout:
		t.pingAt = now + t.pingInterval
		return peerDeaf
	}
	switch {
	case t.pinged > 0 && now >= t.pinged+t.pingTimeout:
		t.pingAt = now + 2*absence
		return peerSilent
	case t.pinged > 0:
		t.pingAt = t.pinged + t.pingTimeout
	case now-t.quiet < t.pingInterval:
		t.pingAt = min(onBeat(now+again), t.quiet+t.pingInterval)
	default:
		t.pings++
		t.pinged = now
		t.pingAt = now + t.pingTimeout
		return peerQuiet
	}
	return peerSpoke
}

// failSilent ends the connection, unless it is this side that does not listen:
// the application receives nothing and its receive buffer is full. Then the
// next look will tell.
func (t *Transport) failSilent() {
	if t.interruptible() && t.reading.TryLock() {
		t.reading.Unlock()
		return
	}
	t.failPing()
}

func (t *Transport) failPing() {
	t.Fail(&errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: ws.PingTimeoutMessage})
}

// pongArrived measures the latency.
func (t *Transport) pongArrived(payload []byte) {
	if t.pingInterval <= 0 || len(payload) != 8 {
		return
	}
	t.timers.Lock()
	defer t.timers.Unlock()
	if t.pinged > 0 && binary.BigEndian.Uint64(payload) == t.pings {
		t.latency.Store(int64(clock() - t.start - t.pinged))
	}
}

// Latency returns the round-trip time of the last ping that was answered, 0 if
// there was none.
func (t *Transport) Latency() time.Duration { return time.Duration(t.latency.Load()) }

// expectEnd sees to it that the connection ends after a failed write, if the
// reader does not find the end by itself.
func (t *Transport) expectEnd(err error) {
	t.timers.Lock()
	if !t.stopped {
		t.giveUp = time.AfterFunc(lastWords, func() {
			cause := lost(err)
			if t.takeOver(cause) || !t.interruptible() {
				t.ending.Set(cause)
				t.release()
			}
		})
	}
	t.timers.Unlock()
	if t.interruptible() {
		go t.readInBackground()
	}
}

// stopTimers is for the end of the connection.
func (t *Transport) stopTimers() {
	t.timers.Lock()
	defer t.timers.Unlock()
	t.stopped = true
	if t.timer != nil {
		t.timer.Stop()
	}
	if t.giveUp != nil {
		t.giveUp.Stop()
	}
}

var epoch = time.Now()

// clock returns the time since the process began.
func clock() time.Duration { return time.Since(epoch) }
