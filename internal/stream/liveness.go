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
	// absence is how long a connection may have no reader before it is lent one.
	absence = 100 * time.Millisecond
	// lastWords is how long the reader has, after a failed write, to find out
	// why the connection ended.
	lastWords = time.Second
)

// liveness notices what no call of the user's would: that nobody reads, that
// the peer is silent.
type liveness struct {
	absent *time.Timer
	armed  atomic.Bool // absent runs
	seen   uint64      // reader.reads when absent last fired; its own

	pingInterval time.Duration // 0: no pings
	pingTimeout  time.Duration
	start        time.Time
	heardOf      atomic.Bool // something was read since checkPing last looked
	counting     bool        // a heartbeat asks for Arrivals
	arrivals     atomic.Uint64
	latency      atomic.Int64

	timers  sync.Mutex // guards what is below
	stopped bool
	ping    *time.Timer
	looked  time.Duration // when checkPing last looked, since start
	quiet   time.Duration // since when nothing has come, at the latest
	pings   uint64        // the payload of the last one
	pinged  time.Duration // when it was sent, since start; 0: it was answered
	giveUp  *time.Timer   // after a failed write
}

func (l *liveness) init(t *Transport, o Options) {
	l.pingInterval, l.pingTimeout = max(o.PingInterval, 0), o.PingTimeout
	if l.pingTimeout <= 0 {
		l.pingTimeout = DefaultPingTimeout
	}
	l.start = time.Now()
	l.counting = o.Config.Heartbeat != nil
	// The timers come last: what they run reads the rest.
	l.timers.Lock()
	defer l.timers.Unlock()
	if t.conn != nil {
		l.armed.Store(true)
		l.absent = time.AfterFunc(absence, t.checkAbsence)
	}
	if l.pingInterval > 0 {
		l.ping = time.AfterFunc(l.pingInterval/4, t.checkPing)
	}
}

// noticeAbsence begins to watch whether anybody comes to read again. A reader
// calls it when it has given up the turn.
func (t *Transport) noticeAbsence() {
	if !t.armed.Load() && t.armed.CompareAndSwap(false, true) {
		t.absent.Reset(absence)
	}
}

// checkAbsence lends a background reader to a connection that had no reader
// for a whole period.
func (t *Transport) checkAbsence() {
	// On a busy machine the timer fires before init is through.
	t.timers.Lock()
	stopped := t.stopped
	t.timers.Unlock()
	if stopped {
		return
	}
	// Before the look: a reader that leaves after it will arm the timer again.
	t.armed.Store(false)
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
	return t.arrivals.Load(), t.inbox.Bytes() < t.receiveBuffer
}

// Fail implements ws.Failer.
func (t *Transport) Fail(cause *errors.ConnectionClosed) {
	switch {
	case t.takeOver(cause):
		t.fail(cause)
	case t.conn == nil && t.ending.Set(cause):
		t.sendClose(cause.Reason, cause.Message)
		t.finish(t.awaitWritten)
	}
}

// checkPing pings a peer that has been silent for the interval, and ends the
// connection if it stays so for the timeout.
func (t *Transport) checkPing() {
	t.timers.Lock()
	if t.stopped {
		t.timers.Unlock()
		return
	}
	now := time.Since(t.start)
	again := t.pingInterval
	if t.heardOf.Swap(false) {
		// When exactly is not known, but not before the last look. Where something
		// comes, looks are close together, so that a silence is soon known.
		t.quiet, t.pinged = t.looked, 0
		again /= 4
	}
	t.looked = now
	switch {
	case t.pinged > 0 && now >= t.pinged+t.pingTimeout:
		t.timers.Unlock()
		t.peerSilent()
		return
	case t.pinged > 0:
		t.ping.Reset(t.pinged + t.pingTimeout - now)
	case now-t.quiet < t.pingInterval:
		t.ping.Reset(min(again, t.quiet+t.pingInterval-now))
	default:
		t.pings++
		t.pinged = now
		t.ping.Reset(t.pingTimeout)
		payload := binary.BigEndian.AppendUint64(nil, t.pings)
		t.timers.Unlock()
		t.sendControl(rfc6455.OpPing, payload)
		return
	}
	t.timers.Unlock()
}

// peerSilent ends the connection, unless it is this side that does not listen:
// the application receives nothing and its receive buffer is full.
func (t *Transport) peerSilent() {
	if t.conn != nil && t.reading.TryLock() {
		t.reading.Unlock()
		t.timers.Lock()
		defer t.timers.Unlock()
		if !t.stopped {
			t.ping.Reset(2 * absence)
		}
		return
	}
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
		t.latency.Store(int64(time.Since(t.start) - t.pinged))
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
			if t.takeOver(cause) || t.conn == nil {
				t.ending.Set(cause)
				t.release()
			}
		})
	}
	t.timers.Unlock()
	if t.conn != nil {
		go t.readInBackground()
	}
}

// stopTimers is for the end of the connection.
func (t *Transport) stopTimers() {
	t.timers.Lock()
	defer t.timers.Unlock()
	t.stopped = true
	if t.absent != nil {
		t.absent.Stop()
	}
	if t.ping != nil {
		t.ping.Stop()
	}
	if t.giveUp != nil {
		t.giveUp.Stop()
	}
}
