package stream

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// absence is how long a connection may have no reader, at least, before it is
	// lent one.
	absence = 100 * time.Millisecond
	// reprieve is when a peer is judged again that was silent while this side did
	// not listen.
	reprieve = 50 * time.Millisecond
	// beat is how exactly things are done that need not be punctual. A process
	// with very many connections wakes up at beats, for all that are due at one,
	// rather than for each. It is short, or very many goroutines would run at once.
	beat = 10 * time.Millisecond
	// closerLooks is how often within the interval the peer is judged while
	// something waits for it.
	closerLooks = 8
	// windowStep is how long a peer with a closed TCP receive window may take to open
	// it. Its system opens it in steps of up to its whole receive buffer, 95 KB by
	// default on Linux, so a program that reads 50 KB/s shows it every 2 s only.
	windowStep = 5 * time.Second
)

// liveness decides when a connection has had no reader for a while, when its peer
// is pinged, and when it is given up. It only plans: Transport.tick asks it what is
// due, and does that once timers is free again. All times are since start.
//
// The peer is pinged once an interval, whatever else comes, so that the latency is
// known. Everything that comes from it is a sign of life, and so is that it takes
// something of what waits to be sent: its pong may be far off, since the ping waits
// after all that. It is given up when there was no sign for interval and timeout
// together. A ping was then on its way for the timeout at least, because one was sent
// within the interval after the last sign. A peer whose TCP receive window is closed has
// windowStep at least.
type liveness struct {
	armed      atomic.Bool // an absence is to be looked for at absentAt; set with timers held
	heardOf    atomic.Bool // something was read since the last plan
	counting   bool        // a heartbeat asks for Arrivals; does not change
	waited     bool        // outgoing.waits at the last look; guarded by timers, as taken is
	unanswered bool        // no pong has answered the last ping of plan; guarded by timers
	answered   bool        // the peer's close frame has come; guarded by timers
	taken      uint32      // outgoing.taken at the last look
	latency    atomic.Int64

	interval time.Duration // 0: no pings
	timeout  time.Duration
	start    time.Duration // on clock: a beat before the connection began

	timers   sync.Mutex    // guards what is below
	asked    *question     // the calls of Ping that wait, the last one first; nil: none
	timer    *time.Timer   // runs tick for what is due next; nil after the end
	absentAt time.Duration // when to look for an absence, if armed
	pingAt   time.Duration // when to send the next ping
	lookAt   time.Duration // when to judge the peer, at the latest
	looked   time.Duration // when it was last judged
	life     time.Duration // the last sign of life, or a time not long before it
	taking   time.Duration // when it was last seen that the peer takes what is sent, or need not
}

// outgoing is the state of what was sent.
type outgoing struct {
	// taken changes when the peer takes something.
	taken uint32
	// waits says that something waits until the peer takes what is before it.
	waits bool
	// queued says that some of it waits in this process.
	queued bool
	// closed says that it waits for the peer's TCP receive window to open.
	closed bool
}

// verdict is what plan finds.
type verdict int

const (
	peerAlive  verdict = iota
	peerSilent         // no sign of life for interval and timeout
	peerDeaf           // it took nothing of what was queued for interval and timeout, whatever it sent
)

// plan is what is due.
type plan struct {
	absent  bool // look for an absence
	ping    bool // send one with payload, which says when that was
	payload [8]byte
	verdict verdict
}

// begin starts the watch at now.
func (l *liveness) begin(o Options, now time.Duration, watchAbsence bool) {
	l.interval, l.timeout = max(o.PingInterval, 0), o.PingTimeout
	if l.timeout <= 0 {
		l.timeout = DefaultPingTimeout
	}
	l.counting = o.Config.Heartbeat != nil
	l.armed.Store(watchAbsence)
	l.absentAt = onBeat(now + absence)
	l.looked, l.life, l.taking = now, now, now
	l.pingAt = l.nextPing(now)
	l.lookAt = l.deadline()
}

// onBeat puts off what need not be punctual to the next beat of the clock,
// which is the same for all connections.
func onBeat(at time.Duration) time.Duration { return (at + beat - 1).Truncate(beat) }

// nextPing is at the beat before the interval has passed, so that connections which
// are pinged at about the same time are woken together.
func (l *liveness) nextPing(now time.Duration) time.Duration {
	at := now + l.interval
	if l.interval >= 10*beat {
		at = at.Truncate(beat)
	}
	return at
}

// deadline is when the peer is given up unless there is a sign of life before.
func (l *liveness) deadline() time.Duration { return l.life + l.interval + l.timeout }

// due returns when something is to be done next, if ever. timers is held.
func (l *liveness) due() (at time.Duration, ok bool) {
	armed := l.armed.Load()
	if l.interval <= 0 {
		return l.absentAt, armed
	}
	at = min(l.pingAt, l.lookAt)
	if armed {
		at = min(at, l.absentAt)
	}
	return at, true
}

// schedule makes the timer run for what is due next. timers is held.
func (l *liveness) schedule(now time.Duration) {
	if next, ok := l.due(); ok && l.timer != nil {
		l.timer.Reset(next - now)
	}
}

// plan returns what is due at now. timers is held.
func (l *liveness) plan(now time.Duration, out outgoing) (p plan) {
	if l.armed.Load() && now >= l.absentAt {
		// Before the look: a reader that leaves after it will arm the timer again.
		l.armed.Store(false)
		p.absent = true
	}
	if l.interval <= 0 || now < min(l.pingAt, l.lookAt) {
		return p
	}
	p.verdict = l.judge(now, out)
	if now >= l.pingAt {
		p.ping = true
		l.unanswered = true
		l.pingAt = l.nextPing(now)
		binary.BigEndian.PutUint64(p.payload[:], uint64(now))
	}
	return p
}

// judge says what is to be thought of the peer, and sets when to look again.
func (l *liveness) judge(now time.Duration, out outgoing) verdict {
	// Where nothing waits, the system had room for what has gone.
	took := (l.waited || out.waits) && out.taken != l.taken
	if l.heardOf.Swap(false) || took {
		// When exactly is not known, but not before the last look.
		l.life = max(l.life, l.looked)
	}
	if now > l.pingAt+l.timeout/2 {
		// This look comes so late, on a busy machine or after it slept, that the ping
		// which goes out now is the first that could be answered.
		l.life = max(l.life, now-l.interval)
	}
	if took || !out.queued {
		l.taking = now
	}
	l.looked, l.taken, l.waited = now, out.taken, out.waits
	silentAt, deafAt := l.deadline(), l.taking+l.interval+l.timeout
	if out.closed {
		silentAt, deafAt = max(silentAt, l.life+windowStep), max(deafAt, l.taking+windowStep)
	}
	switch {
	case out.queued && now >= deafAt:
		l.lookAt = now + l.interval
		return peerDeaf
	case now >= silentAt:
		l.lookAt = now + reprieve
		return peerSilent
	case out.waits:
		l.lookAt = min(silentAt, deafAt, now+max(l.interval/closerLooks, time.Millisecond))
	default:
		l.lookAt = silentAt
	}
	return peerAlive
}

// pong takes note of a pong at now. If it is the first answer to the last ping, ok is
// true, and took is the round-trip time.
func (l *liveness) pong(now time.Duration, payload []byte) (took time.Duration, ok bool) {
	l.timers.Lock()
	defer l.timers.Unlock()
	if l.interval > 0 {
		l.life = now
		if !l.waited {
			// This spares most connections every second run of the timer.
			l.lookAt = l.deadline()
			l.schedule(now)
		}
	}
	if len(payload) != len(plan{}.payload) {
		return 0, false
	}
	sent := time.Duration(binary.BigEndian.Uint64(payload))
	if sent <= 0 || sent > now {
		return 0, false
	}
	switch took = now - sent; {
	case l.answer(sent, took):
		l.latency.Store(int64(took))
	case l.interval > 0 && sent <= l.looked:
		l.latency.Store(int64(took))
		// A peer may repeat its answer as often as it likes.
		ok = l.unanswered
		l.unanswered = false
	}
	return took, ok
}

// noticeAbsence begins to watch whether a reader comes again. A reader
// calls it when it has given up the turn.
func (l *liveness) noticeAbsence() {
	if l.armed.Load() {
		return
	}
	l.timers.Lock()
	defer l.timers.Unlock()
	if !l.armed.Load() {
		now := l.now()
		l.armed.Store(true)
		l.absentAt = onBeat(now + absence)
		l.schedule(now)
	}
}

// Latency returns the round-trip time of the last ping that was answered, 0 if
// there was none.
func (l *liveness) Latency() time.Duration { return time.Duration(l.latency.Load()) }

// noteAnswer notes that the peer's close frame has come.
func (l *liveness) noteAnswer() {
	l.timers.Lock()
	defer l.timers.Unlock()
	l.answered = true
}

// wasAnswered reports whether the peer's close frame has come.
func (l *liveness) wasAnswered() bool {
	l.timers.Lock()
	defer l.timers.Unlock()
	return l.answered
}

// stop is for the end of the connection.
func (l *liveness) stop() {
	l.timers.Lock()
	defer l.timers.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

func (l *liveness) now() time.Duration { return clock() - l.start }

var epoch = time.Now()

// clock returns the time since the process began.
func clock() time.Duration { return time.Since(epoch) }
