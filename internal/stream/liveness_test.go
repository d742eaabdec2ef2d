package stream

import (
	"encoding/binary"
	"testing"
	"time"
)

// A peer with a simulated clock: the calls of plan and their times.
type peerAt struct {
	pong   func(pingedAt time.Duration) (after time.Duration, ok bool)
	spoke  func(at time.Duration) bool
	out    func(at time.Duration) outgoing
	pinged []time.Duration
}

// runLiveness runs l for the time until, and returns the verdict that ended it and when.
func runLiveness(l *liveness, p *peerAt, until time.Duration) (verdict, time.Duration) {
	type event struct {
		at      time.Duration
		payload []byte
	}
	var pongs []event
	l.timer = time.NewTimer(time.Hour)
	defer l.timer.Stop()
	for now := time.Duration(0); now < until; {
		next, _ := l.due()
		if len(pongs) > 0 && pongs[0].at <= next {
			now = pongs[0].at
			l.heardOf.Store(true)
			l.pong(now, pongs[0].payload)
			pongs = pongs[1:]
			continue
		}
		now = next
		if p.spoke != nil && p.spoke(now) {
			l.heardOf.Store(true)
		}
		var out outgoing
		if p.out != nil {
			out = p.out(now)
		}
		due := l.plan(now, out)
		if due.ping {
			p.pinged = append(p.pinged, now)
			if p.pong != nil {
				if after, ok := p.pong(now); ok {
					pongs = append(pongs, event{now + after, due.payload[:]})
				}
			}
		}
		if due.verdict != peerAlive {
			return due.verdict, now
		}
	}
	return peerAlive, until
}

const ms = time.Millisecond

func newLiveness(interval, timeout time.Duration) *liveness {
	l := &liveness{}
	l.begin(Options{PingInterval: interval, PingTimeout: timeout}, 0, false)
	return l
}

// A ping is sent each interval, and the peer is given up no later than interval and timeout
// after the last sign of life, whichever is longer.
func TestSilentPeer(t *testing.T) {
	for _, test := range []struct{ interval, timeout time.Duration }{
		{500 * ms, 20 * time.Second},
		{500 * ms, 2 * time.Second},
		{25 * time.Second, 20 * time.Second},
		{20 * time.Second, 500 * ms},
		{time.Second, time.Second},
		{15 * ms, 7 * ms},
	} {
		for name, silentFrom := range map[string]time.Duration{"from the start": 0, "later": 10 * test.interval} {
			l, answers := newLiveness(test.interval, test.timeout), 0
			last := time.Duration(0) // sign of life
			p := &peerAt{pong: func(at time.Duration) (time.Duration, bool) {
				if at >= silentFrom {
					return 0, false
				}
				answers++
				last = at + 3*ms
				return 3 * ms, true
			}}
			verdict, at := runLiveness(l, p, time.Hour)
			if d := at - last; verdict != peerSilent || d > test.interval+test.timeout || d < test.interval+test.timeout-10*ms {
				t.Errorf("%v, %s: verdict %d, %v after the last sign of life", test, name, verdict, d)
			}
			// Each is within the interval after the previous one, and not much sooner.
			before := time.Duration(0)
			for _, at := range p.pinged {
				if d := at - before; d > test.interval || d < test.interval-beat {
					t.Errorf("%v, %s: a ping %v after the previous one", test, name, d)
				}
				before = at
			}
			if rest := at - before; rest > test.interval {
				t.Errorf("%v, %s: no ping for the last %v", test, name, rest)
			}
			if silentFrom > 0 && l.Latency() != 3*ms {
				t.Errorf("%v: latency %v of %d answers", test, l.Latency(), answers)
			}
		}
	}
}

// A peer that sends messages, but answers pings late or never, is not given up, and is
// still pinged.
func TestPingsWhileThePeerSpeaks(t *testing.T) {
	l := newLiveness(time.Second, time.Second)
	p := &peerAt{
		spoke: func(time.Duration) bool { return true },
		pong:  func(time.Duration) (time.Duration, bool) { return 2500 * ms, true },
	}
	if verdict, at := runLiveness(l, p, time.Minute); verdict != peerAlive {
		t.Errorf("verdict %d after %v", verdict, at)
	}
	if n := len(p.pinged); n < 59 || n > 61 {
		t.Errorf("%d pings in a minute", n)
	}
	if l.Latency() != 2500*ms {
		t.Errorf("latency %v, with three pings under way", l.Latency())
	}
}

// A pong that answers no ping is a sign of life, but does not set the latency.
func TestForeignPong(t *testing.T) {
	l := newLiveness(time.Second, time.Second)
	l.timer = time.NewTimer(time.Hour)
	for _, payload := range [][]byte{nil, []byte("hello"), binary.BigEndian.AppendUint64(nil, uint64(time.Hour)), make([]byte, 8), {0xff, 0, 0, 0, 0, 0, 0, 0}} {
		l.pong(500*ms, payload)
	}
	if l.Latency() != 0 {
		t.Errorf("latency %v", l.Latency())
	}
	if verdict, at := runLiveness(l, &peerAt{}, time.Hour); verdict != peerSilent || at != 2500*ms {
		t.Errorf("verdict %d at %v, want the silence after 2.5 s", verdict, at)
	}
}

// Bytes that the peer takes are a sign of life only while more bytes wait. Otherwise they
// only show that the system had space.
func TestPeerThatTakes(t *testing.T) {
	const interval, timeout = time.Second, 900 * ms
	takesEach := func(period time.Duration, from outgoing) func(time.Duration) outgoing {
		return func(at time.Duration) outgoing {
			out := from
			out.taken = uint32(at / period)
			return out
		}
	}
	full := outgoing{waits: true, queued: true}
	closed := outgoing{waits: true, queued: true, closed: true}
	for name, test := range map[string]struct {
		out     func(time.Duration) outgoing
		spoke   bool
		verdict verdict
		at      time.Duration // at the latest
	}{
		"quickly":                               {takesEach(ms, full), false, peerAlive, 0},
		"slowly":                                {takesEach(1600*ms, full), false, peerAlive, 0},
		"slowly, of what the system holds":      {takesEach(1600*ms, outgoing{waits: true}), false, peerAlive, 0},
		"too slowly":                            {takesEach(3*time.Second, full), false, peerDeaf, interval + timeout},
		"nothing":                               {takesEach(time.Hour, full), false, peerDeaf, interval + timeout},
		"nothing, and sends":                    {takesEach(time.Hour, full), true, peerDeaf, interval + timeout},
		"slowly, and sends":                     {takesEach(1600*ms, full), true, peerAlive, 0},
		"nothing of what the system holds":      {takesEach(time.Hour, outgoing{waits: true}), false, peerSilent, interval + timeout},
		"all, but the system might":             {takesEach(100*ms, outgoing{}), false, peerSilent, interval + timeout},
		"nothing, for there is nothing":         {takesEach(time.Hour, outgoing{}), false, peerSilent, interval + timeout},
		"in the steps of its receive window":    {takesEach(4*time.Second, closed), false, peerAlive, 0},
		"nothing, its receive window is closed": {takesEach(time.Hour, closed), false, peerDeaf, windowStep},
		"nothing, and its system is full":       {takesEach(time.Hour, outgoing{waits: true, closed: true}), false, peerSilent, windowStep},
		"for a while, and then is gone": {func(at time.Duration) outgoing {
			return takesEach(10*ms, full)(min(at, 5*time.Second))
		}, false, peerSilent, 5*time.Second + interval + timeout},
		"all, and then is gone": {func(at time.Duration) outgoing {
			if at < 5*time.Second {
				return takesEach(10*ms, full)(at)
			}
			return outgoing{}
		}, false, peerSilent, 5*time.Second + interval + timeout},
	} {
		l := newLiveness(interval, timeout)
		verdict, at := runLiveness(l, &peerAt{out: test.out, spoke: func(time.Duration) bool { return test.spoke }}, time.Minute)
		if verdict != test.verdict && (verdict == peerAlive || test.verdict == peerAlive) {
			t.Errorf("%s: verdict %d at %v, want %d", name, verdict, at, test.verdict)
		}
		if verdict != peerAlive && (at > test.at || at < test.at-interval/4) {
			t.Errorf("%s: ended at %v, want %v or shortly before", name, at, test.at)
		}
	}
}

// A machine that slept, or is very busy, checks too late. The peer still gets the chance to
// answer a ping.
func TestLateLook(t *testing.T) {
	l := newLiveness(time.Second, 900*ms)
	if p := l.plan(10*time.Second, outgoing{}); !p.ping || p.verdict != peerAlive {
		t.Fatalf("first check, after 10 s: %+v", p)
	}
	if p := l.plan(10*time.Second+800*ms, outgoing{}); p.verdict != peerAlive {
		t.Errorf("0.8 s later: %+v", p)
	}
	if p := l.plan(10*time.Second+900*ms, outgoing{}); p.verdict != peerSilent {
		t.Errorf("0.9 s later: %+v", p)
	}
}
