package stream

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// absence is the least time without a reader after which a connection gets a
	// background reader.
	absence = 100 * time.Millisecond
	// reprieve is the time until a peer is judged again if it was silent while this
	// side did not listen.
	reprieve = 50 * time.Millisecond
	// beat is the precision of timers that need not be exact. A process with very
	// many connections wakes up once per beat, for all connections that are due then,
	// rather than for each. A long beat would make very many goroutines run at once.
	beat = 10 * time.Millisecond
	// closerLooks is how often within the interval the peer is judged while output
	// waits for it.
	closerLooks = 8
	// windowStep is how long a peer with a closed TCP receive window may take to open
	// it. Its system opens it in steps of up to its whole receive buffer, 95 KB by
	// default on Linux, so a program that reads 50 KB/s shows it every 2 s only.
	windowStep = 5 * time.Second
)

// liveness decides when a connection has had no reader for a while, when to ping its
// peer, and when to give the peer up. It only plans: Transport.tick asks for the plan,
// and carries it out after it has released timers. All times are since start.
//
// The peer is pinged once per interval, even while it sends other frames, to measure the
// latency. Anything received from the peer is a sign of life. Progress of queued output is
// one too: the ping is queued after that output, so the pong may take long. The peer is
// given up when there was no sign of life for interval and timeout together. A ping was
// then under way for at least the timeout, because one was sent within the interval after
// the last sign. A peer whose TCP receive window is closed has at least windowStep.
type liveness struct {
	armed      atomic.Bool // check for an absence at absentAt; set with timers held
	heardOf    atomic.Bool // bytes were read since the last plan
	counting   bool        // a heartbeat calls Arrivals; does not change
	waited     bool        // outgoing.waits at the last check; guarded by timers, as taken is
	unanswered bool        // no pong has answered the last ping of plan; guarded by timers
	answered   bool        // the peer's close frame was received; guarded by timers
	taken      uint32      // outgoing.taken at the last check
	latency    atomic.Int64

	interval time.Duration // 0: no pings
	timeout  time.Duration
	start    time.Duration // on clock: a beat before the connection began

	timers   sync.Mutex    // guards the fields below
	asked    *question     // the waiting calls of Ping, the last one first; nil if none
	timer    *time.Timer   // runs tick when the next action is due; nil after the end
	absentAt time.Duration // when to check for an absence, if armed
	pingAt   time.Duration // when to send the next ping
	lookAt   time.Duration // when to judge the peer, at the latest
	looked   time.Duration // when it was last judged
	life     time.Duration // the last sign of life, or shortly before it
	taking   time.Duration // the last check at which the peer took output, or none was queued
}

// outgoing is the state of the output.
type outgoing struct {
	// taken changes when the peer takes bytes.
	taken uint32
	// waits reports that bytes wait until the peer takes the bytes before them.
	waits bool
	// queued reports that some of them wait in this process.
	queued bool
	// closed reports that they wait for the peer's TCP receive window to open.
	closed bool
}

// verdict is the result of judging the peer.
type verdict int

const (
	peerAlive  verdict = iota
	peerSilent         // no sign of life for interval and timeout
	peerDeaf           // took none of the queued bytes for interval and timeout, whatever it sent
)

// plan lists the actions that are due.
type plan struct {
	absent  bool // check for an absence
	ping    bool // send one with payload, which holds its time
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

// onBeat rounds a time that need not be exact up to the next beat. All connections have
// the same beats.
func onBeat(at time.Duration) time.Duration { return (at + beat - 1).Truncate(beat) }

// nextPing returns the last beat before the interval has passed. Connections that are pinged
// at about the same time are thus woken together.
func (l *liveness) nextPing(now time.Duration) time.Duration {
	at := now + l.interval
	if l.interval >= 10*beat {
		at = at.Truncate(beat)
	}
	return at
}

// deadline returns when the peer is given up unless there is a sign of life before.
func (l *liveness) deadline() time.Duration { return l.life + l.interval + l.timeout }

// due returns when the next action is due, if any. timers is held.
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

// schedule sets the timer for the next action. timers is held.
func (l *liveness) schedule(now time.Duration) {
	if next, ok := l.due(); ok && l.timer != nil {
		l.timer.Reset(next - now)
	}
}

// plan returns the actions due at now. timers is held.
func (l *liveness) plan(now time.Duration, out outgoing) (p plan) {
	if l.armed.Load() && now >= l.absentAt {
		// Before the check: a reader that leaves after it arms the timer again.
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

// judge returns the verdict on the peer, and sets when to judge it again.
func (l *liveness) judge(now time.Duration, out outgoing) verdict {
	// If nothing waits, bytes that left only show that the system had space for them.
	took := (l.waited || out.waits) && out.taken != l.taken
	if l.heardOf.Swap(false) || took {
		// The exact time is unknown, but it is not before the last check.
		l.life = max(l.life, l.looked)
	}
	if now > l.pingAt+l.timeout/2 {
		// The check is so late, on a busy machine or after a sleep, that the ping sent
		// now is the first one that the peer could answer.
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

// pong records a pong at now. If it is the first answer to the last ping, ok is
// true, and took is the round-trip time.
func (l *liveness) pong(now time.Duration, payload []byte) (took time.Duration, ok bool) {
	l.timers.Lock()
	defer l.timers.Unlock()
	if l.interval > 0 {
		l.life = now
		if !l.waited {
			// This saves most connections every second run of the timer.
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

// noticeAbsence starts to check whether another reader follows. A reader
// calls it after it has given up the turn.
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

// noteAnswer records that the peer's close frame was received.
func (l *liveness) noteAnswer() {
	l.timers.Lock()
	defer l.timers.Unlock()
	l.answered = true
}

// wasAnswered reports whether the peer's close frame was received.
func (l *liveness) wasAnswered() bool {
	l.timers.Lock()
	defer l.timers.Unlock()
	return l.answered
}

// stop stops the timer at the end of the connection.
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
