package ws

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// PingTimeoutMessage is the message of the [errors.ConnectionClosed] with
// [errors.PolicyViolation] that ends a connection whose peer answered neither
// pings nor heartbeats.
const PingTimeoutMessage = "Ping/Pong timeout"

// The defaults of Heartbeat.
const (
	// DefaultHeartbeatEvery is 25 seconds.
	DefaultHeartbeatEvery = 25 * time.Second
	// DefaultHeartbeatTimeout is 20 seconds.
	DefaultHeartbeatTimeout = 20 * time.Second
)

// Heartbeat detects a half-open link, on every target, with a message that the peer
// answers. A browser cannot send the pings of RFC 6455, section 5.5.2, but it can send
// this message. The zero value selects the defaults.
//
// Message is sent at intervals of Every, also while other messages flow, so that
// [Conn.Latency] is known. Anything that arrives from the peer is a sign of life, and
// so is progress in sending, if the transport can report it: a peer that reads a long
// stream slowly is alive. Without a sign of life for Every plus Timeout the connection
// ends with [errors.PolicyViolation], [PingTimeoutMessage], whether the program
// receives or not. A browser runs the timers of a hidden page once a minute, or not at
// all: after a delayed timer the peer gets another chance to answer before the
// connection ends.
//
// Receive does not return the answers, one for each heartbeat. An answer takes effect
// when it is received, so the program must receive for [Conn.Latency] and
// [Conn.Confirm] to work.
type Heartbeat struct {
	// Message is sent. Without data it means Text("\x05"), the control
	// character ENQ.
	Message Message

	// Answer is the peer's answer. Without data it means Text("\x06"), the control
	// character ACK, if Message has no data either. Otherwise it means the same as
	// Message: an echo.
	Answer Message

	// Every is how often Message is sent. 0 means 25 seconds.
	Every time.Duration

	// Timeout is how long the peer may take to answer. 0 means 20 seconds.
	Timeout time.Duration
}

// WithDefaults returns h with its zero fields filled in. A nil h is the zero
// Heartbeat.
func (h *Heartbeat) WithDefaults() Heartbeat {
	var d Heartbeat
	if h != nil {
		d = *h
	}
	switch {
	case len(d.Message.Data) == 0:
		d.Message = Text("\x05")
		if len(d.Answer.Data) == 0 {
			d.Answer = Text("\x06")
		}
	case len(d.Answer.Data) == 0:
		d.Answer = d.Message
	}
	if d.Every == 0 {
		d.Every = DefaultHeartbeatEvery
	}
	if d.Timeout == 0 {
		d.Timeout = DefaultHeartbeatTimeout
	}
	return d
}

// Check returns an error that says which field of h cannot be used, and why, with
// messages of at most maxMessageSize bytes (0 for no limit). A nil h is valid.
func (h *Heartbeat) Check(maxMessageSize int) error {
	d := h.WithDefaults()
	for _, m := range []struct {
		field   string
		message Message
	}{{"Message", d.Message}, {"Answer", d.Answer}} {
		if err := m.message.Check(maxMessageSize); err != nil {
			return &heartbeatError{m.field, err}
		}
	}
	if d.Every < 0 {
		return &heartbeatError{"Every", errors.New("it is negative")}
	}
	if d.Timeout < 0 {
		return &heartbeatError{"Timeout", errors.New("it is negative")}
	}
	return nil
}

type heartbeatError struct {
	field string
	err   error
}

func (e *heartbeatError) Error() string {
	return "websocket: invalid Heartbeat." + e.field + ": " + e.err.Error()
}

func (e *heartbeatError) Unwrap() error { return e.err }

func (e *heartbeatError) Is(target error) bool { return target == errors.ErrWebSocket }

// heartbeat is the state of a Conn's own heartbeat.
type heartbeat struct {
	Heartbeat

	received atomic.Uint64 // messages
	probe    chan struct{} // holds one signal to check at once
	sending  chan struct{} // holds one value while a heartbeat is being passed to Send

	mu       sync.Mutex
	sent     uint64
	answered uint64        // of sent; answers come in the order of the heartbeats
	sentAt   time.Time     // when the last heartbeat was sent, to measure the latency
	news     chan struct{} // closed by the next answer
	latency  time.Duration
}

func newHeartbeat(c *Config) *heartbeat {
	if c.Heartbeat == nil {
		return nil
	}
	return &heartbeat{
		Heartbeat: c.Heartbeat.WithDefaults(),
		probe:     make(chan struct{}, 1),
		sending:   make(chan struct{}, 1),
		news:      make(chan struct{}),
	}
}

func same(a, b Message) bool { return a.Kind == b.Kind && bytes.Equal(a.Data, b.Data) }

// takes reports whether m, which was received, is not for the application.
func (c *Conn) takes(m Message) bool {
	if h := c.heartbeat; h != nil {
		h.received.Add(1)
		if same(m, h.Answer) && h.countAnswer() {
			return true
		}
	}
	return c.answers != nil && c.answers.answer(c.streams, m)
}

// answer answers m if it is the peer's heartbeat, and reports whether it is. h has its
// defaults.
func (h *Heartbeat) answer(s *streams, m Message) bool {
	if !same(m, h.Message) {
		return false
	}
	// If the peer does not read, unread data from this side is a sign of life for it,
	// and a Receive must not wait until the peer reads. The answers are counted, so none
	// may be missing after a message that is being written.
	if s.answer() != nil && s.busy() && !s.owe() {
		s.answer()
	}
	return true
}

// countAnswer reports whether there is a heartbeat that an answer can belong to.
func (h *heartbeat) countAnswer() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.answered == h.sent {
		return false
	}
	h.answered++
	if h.answered == h.sent {
		h.latency = time.Since(h.sentAt)
	}
	close(h.news)
	h.news = make(chan struct{})
	return true
}

// send sends one heartbeat and returns its number.
func (h *heartbeat) send(ctx context.Context, c *Conn) (uint64, error) {
	// Numbers must follow the order of the messages on the wire.
	select {
	case h.sending <- struct{}{}:
		defer func() { <-h.sending }()
	case <-c.Done():
		return 0, c.Err()
	case <-ctx.Done():
		return 0, c.explain(ctx, "heartbeat", ctx.Err())
	}
	return h.numbered(func() error { return c.Send(ctx, h.Message) })
}

// trySend is like send, but never waits: if there is no space, other data waits to be
// sent, and its progress shows whether the peer is alive.
func (h *heartbeat) trySend(c *Conn) {
	select {
	case h.sending <- struct{}{}:
		_, err := h.numbered(func() error {
			if c.ending.Cause() != nil {
				return c.ending.Cause()
			}
			return c.explainTry(trySend(c.transport, h.Message))
		})
		<-h.sending
		if p, ok := c.transport.(driver.PingSender); ok && err != nil && c.streams.busy() {
			p.SendPing()
		}
	default: // a Confirm waits for space
	}
}

// numbered counts the heartbeat that send sends. sending is taken.
func (h *heartbeat) numbered(send func() error) (uint64, error) {
	// The answer may come before send has returned.
	h.mu.Lock()
	h.sent++
	n, before := h.sent, h.sentAt
	h.sentAt = time.Now()
	h.mu.Unlock()
	if err := send(); err != nil {
		h.mu.Lock()
		h.sent, h.sentAt = h.sent-1, before
		h.mu.Unlock()
		return 0, err
	}
	return n, nil
}

// confirmed reports whether heartbeat n was answered, and returns a channel
// that is closed by the next answer.
func (h *heartbeat) confirmed(n uint64) (bool, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answered >= n, h.news
}

// arrivals returns a number that changes when anything arrives from the peer. While
// listening is false, an unchanged number means nothing.
func (h *heartbeat) arrivals(c *Conn) (n uint64, listening bool) {
	n = h.received.Load()
	if t, ok := c.transport.(driver.ArrivalCounter); ok {
		arrivals, listening := t.Arrivals()
		return n + arrivals, listening
	}
	return n, c.receiving.Load()
}

// departures returns the results of [driver.DepartureCounter], or zeros without one.
func departures(t driver.Transport) (n uint64, waiting bool, patience time.Duration) {
	if t, ok := t.(driver.DepartureCounter); ok {
		return t.Departures()
	}
	return 0, false, 0
}

// looks is the minimum number of times that a heartbeat looks for signs of life within
// Every and within Timeout.
const looks = 4

// run sends heartbeats and looks for signs of life until c ends. This costs very
// little, and the hot path need not read the clock.
func (h *heartbeat) run(c *Conn) {
	step := max(min(h.Every, h.Timeout)/looks, time.Millisecond)
	came, _ := h.arrivals(c)
	gone, waited, patience := departures(c.transport)
	looked := time.Now()
	life := looked      // the last sign of life, or a time at most one look before it
	beaten := looked    // when the last heartbeat was sent
	var asked time.Time // when the first heartbeat after the last sign of life was sent
	probing := false    // whether asked was for a Probe, which does not wait for Every
	spared := false     // whether a miss was ignored, because the look came late
	deadline := func() time.Time {
		end := asked.Add(h.Timeout)
		if silent := life.Add(h.Every + h.Timeout); !probing && silent.After(end) {
			end = silent
		}
		if patient := life.Add(patience); patient.After(end) {
			end = patient
		}
		return end
	}
	timer := time.NewTimer(step)
	defer timer.Stop()
	for {
		began, wait, probed := time.Now(), step, false
		if remaining := deadline().Sub(began); !asked.IsZero() && remaining > 0 {
			wait = min(step, remaining)
		}
		timer.Reset(wait)
		select {
		case <-c.Done():
			return
		case <-h.probe:
			probed = true
		case <-timer.C:
		}
		n, listening := h.arrivals(c)
		left, waits, mayTake := departures(c.transport)
		// If nothing waits, the data may only have filled free buffer space.
		took := (waited || waits) && left != gone
		if n != came || !listening || took {
			life, asked, probing, spared = looked, time.Time{}, false, false
		}
		came, gone, waited, patience = n, left, waits, mayTake
		now := time.Now()
		looked = now
		overdue := !asked.IsZero() && !now.Before(deadline())
		switch {
		case probed && (!probing || overdue):
			asked, probing, spared, beaten = now, true, false, now
			h.trySend(c)
		case !overdue && now.Sub(beaten)+2*step > h.Every:
			if asked.IsZero() {
				asked = now
			}
			beaten = now
			h.trySend(c)
		case !overdue:
		case now.Sub(began) > 2*step && !spared:
			// The timer was delayed, and so may have been the delivery of the answer.
			spared = true
		default:
			c.abort(errors.PolicyViolation, PingTimeoutMessage, h.whyMissed())
			return
		}
	}
}

// whyMissed returns the probable reason why the peer did not answer, nil if none is
// known.
func (h *heartbeat) whyMissed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sent == 0 || h.answered > 0 {
		return nil
	}
	return errNeverAnswered
}

var errNeverAnswered = errors.New("the peer answered no heartbeat; if its application never does, set no Heartbeat")

// Confirm sends a heartbeat and waits for the answer, which confirms that all messages
// sent before the call have arrived, because the peer receives messages in order. The
// program must receive during the wait.
//
// If ctx ends first, the error is ctx.Err() and the connection stays open. Without a
// Heartbeat the error is [errors.ErrUnsupported]. If the connection has ended, it is
// its [*errors.ConnectionClosed].
func (c *Conn) Confirm(ctx context.Context) error {
	h := c.heartbeat
	if h == nil {
		return errNoHeartbeat
	}
	n, err := h.send(ctx, c)
	if err != nil {
		return err
	}
	for {
		done, news := h.confirmed(n)
		if done {
			return nil
		}
		if err := c.mayWait("Confirm", "call it on another goroutine"); err != nil {
			return err
		}
		select {
		case <-news:
		case <-c.Done():
			return c.Err()
		case <-ctx.Done():
			return c.explain(ctx, "confirm", ctx.Err())
		}
	}
}

// Probe sends the Heartbeat now and returns at once. If nothing arrives within
// Heartbeat.Timeout, the connection ends. Call Probe when the link may be gone: the
// machine woke up, or the network changed. Connections of Dial in a browser do this
// by themselves when the page becomes visible. Without a Heartbeat Probe does nothing.
func (c *Conn) Probe() {
	if c.heartbeat == nil {
		return
	}
	select {
	case c.heartbeat.probe <- struct{}{}:
	default:
	}
}

// Latency returns the last measured round-trip time of a ping and its pong, or of a
// heartbeat and its answer, or 0 if none has been measured.
func (c *Conn) Latency() time.Duration {
	if t, ok := c.transport.(driver.LatencyMeter); ok {
		if latency := t.Latency(); latency > 0 {
			return latency
		}
	}
	h := c.heartbeat
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latency
}

var errNoHeartbeat error = &unsupportedError{"confirm: the connection has no Heartbeat"}

type unsupportedError struct{ what string }

func (e *unsupportedError) Error() string {
	return "websocket: " + e.what + ": " + errors.ErrUnsupported.Error()
}

func (e *unsupportedError) Unwrap() error { return errors.ErrUnsupported }

func (e *unsupportedError) Is(target error) bool { return target == errors.ErrWebSocket }
