package ws

import (
	"context"
	"iter"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// Conn is one WebSocket connection, from either side. Its methods behave the same over
// every [driver.Transport].
//
// Receive, ReceiveInto, TryReceive, Messages and NextReader belong to one goroutine
// at a time. All other methods may be called from many goroutines at the same time,
// also during a Receive.
//
// A Conn that a program drops without Close leaks nothing: once the garbage collector
// finds it, the connection ends with [errors.GoingAway]. This does not hold after a
// call of Done, whose channel a goroutine may still be waiting for, while a
// [Heartbeat] runs, and if the Conn is Supervised (see [Config]).
type Conn struct {
	transport    driver.Transport
	ending       *driver.Ending
	agreed       *agreement // nil: neither subprotocol nor extension
	maxMessage   int
	closeTimeout time.Duration
	heartbeat    *heartbeat // nil: sends none
	answers      *Heartbeat // nil: answers none
	streams      *streams
	reader       *messageReader // of the last NextReader; belongs to the goroutine that receives

	dropped runtime.Cleanup // not if Supervised

	receiving atomic.Bool
	closed    atomic.Bool   // by the local Close or CloseNow
	done      atomic.Uint32 // a set of the constants below; this order spares memory
	closing   sync.Once
	closeErr  error
	hurry     atomic.Pointer[context.CancelFunc] // ends the wait of a Close that is in progress
}

const (
	keptAlive = 1 << iota // Done was called: dropped is off
	closeDone             // closing has been done
	closedNow             // CloseNow was called
)

func (c *Conn) has(done uint32) bool { return c.done.Load()&done != 0 }

// NewConn returns a Conn over t. The Conn owns t from then on. A nil config selects
// the defaults. With a config that fails [Config.Check] the Conn has ended, with
// [errors.InternalError] and the error of Check.
func NewConn(t driver.Transport, config *Config) *Conn {
	if err := config.Check(); err != nil {
		c := NewConn(t, nil)
		c.abort(errors.InternalError, "invalid configuration", err)
		return c
	}
	d := config.WithDefaults()
	c := &Conn{
		transport:    t,
		ending:       t.Ending(),
		maxMessage:   d.MaxMessageSize,
		closeTimeout: d.CloseTimeout,
		heartbeat:    newHeartbeat(&d),
		streams:      &streams{maxSize: d.MaxStreamSize, fragment: d.FragmentSize},
	}
	if d.Subprotocol != "" || d.Extensions != "" {
		c.agreed = &agreement{d.Subprotocol, d.Extensions}
	}
	if f, ok := t.(driver.Failer); ok && !d.Supervised {
		c.dropped = runtime.AddCleanup(c, failDropped, f)
	}
	if h := d.AnswerHeartbeat; h != nil {
		if len(h.Message.Data) == 0 || len(h.Answer.Data) == 0 {
			filled := h.WithDefaults()
			h = &filled
		}
		c.answers = h
		s := c.streams
		s.answer = func() error { return trySend(t, h.Answer) }
		if b, ok := t.(driver.BackgroundReceiver); ok {
			b.OfferFirst(func(m driver.Message) bool { return h.answer(s, Message(m)) })
		}
	}
	if h := c.heartbeat; h != nil {
		go h.run(c)
	}
	return c
}

// failDropped ends the connection of a Conn that no goroutine can call any more.
func failDropped(f driver.Failer) {
	f.Fail(&errors.ConnectionClosed{Reason: errors.GoingAway, Message: "the connection was dropped without Close"})
}

// Send queues one whole message and returns. Messages of one goroutine keep their
// order; messages of several goroutines are never interleaved. The caller may reuse
// the data when Send returns. A nil error means that the message was queued, not that
// the peer has received it.
//
// Above the high-water mark (SendBuffer) Send waits for space. Only data in this process counts;
// the system's send buffer, on Linux at most about 4 MB, is not included. If a message must not
// be delayed that long, use [Conn.TrySend], or check [Conn.Buffered] first. If ctx ends during
// the wait, no part of the message is sent, the connection stays open, and the error is
// ctx.Err(). It also waits while a [Conn.NextWriter] writes a message. If there is space, the
// message is queued even if ctx has ended: as in Receive, ctx limits only a wait.
//
// In a browser, if Send, Receive, Flush or Confirm would have to wait inside a
// JavaScript callback, it returns an [errors.ErrWouldBlock] instead: nothing
// arrives before the callback returns. The connection stays open.
//
// For text that is not UTF-8 the error is [errors.ErrInvalidUTF8], and for data over
// MaxMessageSize [errors.ErrMessageTooBig]: nothing is sent and the connection stays
// open. After the connection has ended, the error is its [*errors.ConnectionClosed].
func (c *Conn) Send(ctx context.Context, m Message) error {
	if err := c.maySend(m.Check(c.maxMessage)); err != nil {
		return err
	}
	if c.streams.busy() {
		if err := c.awaitTurn(ctx, "Send", "send"); err != nil {
			return err
		}
	}
	if err := c.transport.Send(ctx, driver.Message(m)); err != nil {
		return c.explain(ctx, "send", err)
	}
	return nil
}

// TrySend is like [Conn.Send], but never waits: while [Conn.Buffered] is at the
// high-water mark or above, the error is [errors.ErrWouldBlock], and no part of the
// message is sent. Unlike Send it also counts data that the system could not send yet.
// No more than the mark is then in transit to a slow peer, besides the data in the
// peer's own system. Use it for updates that would be stale after a wait, such as
// positions in a game, and in JavaScript callbacks, which must not wait.
func (c *Conn) TrySend(m Message) error {
	if err := c.maySend(m.Check(c.maxMessage)); err != nil {
		return err
	}
	if c.streams.busy() {
		return errors.ErrWouldBlock
	}
	return c.explainTry(trySend(c.transport, m))
}

// trySend sends m unless t would wait.
func trySend(t driver.Transport, m Message) error {
	if try, ok := t.(driver.TrySender); ok {
		return try.TrySend(driver.Message(m))
	}
	return t.Send(endedContext(), driver.Message(m))
}

// maySend returns the connection's end if it has ended, otherwise the error of the
// message's check.
func (c *Conn) maySend(invalid error) error {
	if cause := c.ending.Cause(); cause != nil {
		return cause
	}
	return invalid
}

// endedContext makes a transport's Send return where it would wait.
func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// explainTry is explain for a send that could not wait.
func (c *Conn) explainTry(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errors.ErrWouldBlock), errors.Is(err, context.Canceled):
		return errors.ErrWouldBlock
	}
	return c.explain(context.Background(), "send", err)
}

// Receive waits for the next message. The caller owns its data.
//
// If ctx ends first, the error is ctx.Err(), the connection stays open, and the next
// Receive continues where this one stopped, even in the middle of a message. A message
// that has already arrived is returned even if ctx has ended. When the connection has
// ended and all messages that arrived before were received, the error is its
// [*errors.ConnectionClosed]; after a local Close, at once. A Receive during another
// one returns [errors.ErrConcurrentReceive].
func (c *Conn) Receive(ctx context.Context) (Message, error) { return c.receive(ctx, nil) }

// ReceiveInto is like [Conn.Receive], but appends the message's data to buf[:0]: if
// it fits, nothing is allocated. The data in the Message is valid only until buf is
// used again. After an error the caller may reuse buf.
func (c *Conn) ReceiveInto(ctx context.Context, buf []byte) (Message, error) {
	if buf == nil {
		buf = []byte{}
	}
	return c.receive(ctx, buf)
}

func (c *Conn) receive(ctx context.Context, buf []byte) (m Message, err error) {
	if !c.receiving.CompareAndSwap(false, true) {
		return Message{}, errors.ErrConcurrentReceive
	}
	defer c.receiving.Store(false)
	c.reader = nil
	for again := true; again; again = err == nil && c.takes(m) {
		if c.closed.Load() {
			return Message{}, c.ending.Cause()
		}
		m, err = c.next(ctx, buf)
	}
	if c.closed.Load() {
		return Message{}, c.ending.Cause()
	}
	if err != nil {
		return Message{}, c.explain(ctx, "receive", err)
	}
	return m, nil
}

// next waits for a message while ctx has not ended. If ctx has ended, it returns only
// a message that has already arrived.
func (c *Conn) next(ctx context.Context, buf []byte) (Message, error) {
	if ctx.Err() == nil {
		m, err := c.transport.Receive(ctx, buf)
		if err == nil || ctx.Err() == nil || c.ending.Cause() == nil {
			return Message(m), err
		}
		// ctx may have ended because the connection has: a server's handler has
		// such a context. Messages that arrived before the end must still be returned.
	}
	m, ok, err := c.transport.TryReceive(buf)
	switch {
	case ok || err != nil:
		return Message(m), err
	case c.ending.Cause() != nil:
		return Message{}, c.ending.Cause()
	}
	return Message{}, ctx.Err()
}

// TryReceive returns the next message if one has arrived, and never blocks. ok
// is false, with a nil error, while there is none. Repeated calls find every message
// sooner or later. The caller owns the data.
func (c *Conn) TryReceive() (m Message, ok bool, err error) {
	if !c.receiving.CompareAndSwap(false, true) {
		return Message{}, false, errors.ErrConcurrentReceive
	}
	defer c.receiving.Store(false)
	c.reader = nil
	for again := !c.closed.Load(); again; again = ok && c.takes(m) {
		var received driver.Message
		received, ok, err = c.transport.TryReceive(nil)
		m = Message(received)
	}
	if c.closed.Load() {
		return Message{}, false, c.ending.Cause()
	}
	if err != nil {
		return Message{}, false, c.explain(context.Background(), "receive", err)
	}
	return m, ok, nil
}

// Messages returns an iterator over the messages that [Conn.Receive] returns. It ends
// without an error after a normal closure (1000) by either side. It yields any other
// error and then ends: so a loop that completes without an error has received
// everything that the peer sent.
//
//	for m, err := range conn.Messages(ctx) {
//		if err != nil {
//			return err
//		}
//		use(m)
//	}
func (c *Conn) Messages(ctx context.Context) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := c.Receive(ctx)
			if errors.Is(err, errors.NormalClosure) {
				return
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the connection with a reason of this side: it sends the queued messages
// and a close frame, waits for the peer's close frame for at most CloseTimeout, and
// releases all resources. Messages that were not received yet are dropped.
//
// The first cause of an end is kept: Close after the peer closed, or a second
// Close, changes nothing and returns the same as the first. For a reason that may
// not be sent (see [errors.CloseReason.Sendable]) the error is
// [errors.ErrInvalidCloseReason], and the connection stays open. If the peer
// does not answer in time, or the connection breaks, the error is a
// [*errors.ConnectionClosed] with [errors.AbnormalClosure].
//
// In a browser, a Close inside a JavaScript callback cannot wait for the peer: it
// sends the close frame and returns an [errors.ErrWouldBlock].
//
// A message has at most 123 bytes (RFC 6455, section 5.5); a longer one is cut
// after its last whole rune within them. Bytes that are not UTF-8 become U+FFFD.
func (c *Conn) Close(reason errors.CloseReason, message string) error {
	if err := CheckCloseReason(reason); err != nil {
		return err
	}
	return c.close(reason, message, c.closeTimeout)
}

// CloseNow ends the connection with a reason of this side, and never waits, neither
// for the peer's answer nor for space to send. Use it for a peer that is not expected
// to answer, to close many connections at once, and in JavaScript callbacks. The
// connection has ended when CloseNow returns. In the background, the queued messages
// and the close frame are sent, as far as the peer accepts them within CloseTimeout;
// then all resources are released. Messages that were not received yet are dropped.
//
// The first cause of an end is kept, as for [Conn.Close]. A CloseNow during a Close
// that waits for the peer ends that wait; a Close after it returns nil at once. The
// error is nil, or, for a reason that may not be sent, [errors.ErrInvalidCloseReason];
// then the connection stays open. The limits of the message are those of Close.
func (c *Conn) CloseNow(reason errors.CloseReason, message string) error {
	if err := CheckCloseReason(reason); err != nil {
		return err
	}
	cause := &errors.ConnectionClosed{Reason: reason, Message: closeMessage(message)}
	if f, ok := c.transport.(driver.Failer); ok {
		f.Fail(cause)
	}
	c.ending.Set(cause) // unless the connection has already ended
	c.closed.Store(true)
	c.done.Or(closedNow)
	_, fails := c.transport.(driver.Failer)
	if cancel := c.hurry.Load(); cancel != nil {
		// A Close that began because of this CloseNow, as that of a server's function that has
		// returned, must not end before the close frame is sent.
		if !fails || c.ending.Cause() != cause {
			(*cancel)()
		}
		return nil
	}
	if !fails {
		c.closing.Do(func() {
			defer c.done.Or(closeDone)
			c.transport.Close(endedContext(), cause.Reason, cause.Message)
		})
	}
	return nil
}

// abort ends a connection whose peer is not expected to answer.
func (c *Conn) abort(reason errors.CloseReason, message string, why error) {
	cause := &errors.ConnectionClosed{Reason: reason, Message: message, Err: why}
	if t, ok := c.transport.(driver.Failer); ok {
		t.Fail(cause)
		return
	}
	c.ending.Set(cause)
	c.close(reason, message, 0)
}

func (c *Conn) close(reason errors.CloseReason, message string, timeout time.Duration) error {
	underWay := c.closed.Load() && !c.has(closeDone)
	if underWay && (!c.has(closedNow) || c.hurry.Load() != nil) {
		if err := c.mayWait("Close", "another Close is under way; wait for Done on another goroutine"); err != nil {
			return err
		}
	}
	c.closing.Do(func() {
		defer c.done.Or(closeDone)
		message = closeMessage(message)
		first := c.ending.Set(&errors.ConnectionClosed{Reason: reason, Message: message})
		if cause := c.ending.Cause(); !first && !cause.Remote && cause.Reason.Sendable() {
			// Another call ends the connection, and has not sent its close frame yet.
			reason, message = cause.Reason, closeMessage(cause.Message)
		}
		c.closed.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		// CloseNow sets closedNow and then looks here; one of the two sees the other.
		c.hurry.Store(&cancel)
		defer c.hurry.Store(nil)
		if c.has(closedNow) {
			if !first {
				return
			}
			cancel() // the CloseNow came after this Close, and did not see what to cancel
		}
		err := c.transport.Close(ctx, reason, message)
		if errors.Is(err, errors.ErrWouldBlock) {
			c.closeErr = err
			return
		}
		if err == nil || !first {
			return
		}
		closed := &errors.ConnectionClosed{Reason: errors.AbnormalClosure, Message: "the connection was lost while closing", Err: err}
		switch {
		case c.has(closedNow):
			closed.Message = "CloseNow ended the wait for the peer's answer"
		case ctx.Err() != nil:
			closed.Message = "the peer did not answer the close in time"
		}
		c.closeErr = closed
	})
	return c.closeErr
}

// mayWait returns an ErrWouldBlock if the calling goroutine must not wait.
func (c *Conn) mayWait(call, instead string) error {
	if w, ok := c.transport.(driver.WaitChecker); ok {
		return w.MayWait(call, instead)
	}
	return nil
}

// CheckCloseReason returns nil if reason may be passed to Close, else an
// [errors.ErrInvalidCloseReason] that lists the allowed reasons.
func CheckCloseReason(reason errors.CloseReason) error {
	if reason.Sendable() {
		return nil
	}
	return &reasonError{reason}
}

// maxCloseMessage is the maximum size of the message in a close frame: 125 bytes less
// the reason.
const maxCloseMessage = 123

// closeMessage returns the part of s that fits a close frame, cut after a whole rune. Each run
// of invalid UTF-8 becomes one U+FFFD. strings.ToValidUTF8 would make the client larger.
func closeMessage(s string) string {
	b := make([]byte, 0, maxCloseMessage)
	invalid := false // the last byte was
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		wasInvalid := invalid
		invalid = r == utf8.RuneError && size == 1
		if invalid && wasInvalid {
			continue
		}
		if len(b)+utf8.RuneLen(r) > maxCloseMessage {
			break
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}

// Flush waits until all sent messages have been passed to the system or the browser.
// If ctx ends first, the error is ctx.Err() and the connection stays open. If the
// connection ended before that, the error is its [*errors.ConnectionClosed].
func (c *Conn) Flush(ctx context.Context) error {
	if err := c.transport.Flush(ctx); err != nil {
		return c.explain(ctx, "flush", err)
	}
	return nil
}

// Buffered returns the number of bytes, including framing, that were sent but have not
// left yet: those that this process or the browser holds, and, on Linux over TCP or
// TLS, those that the system has accepted but could not send, because the peer or the
// network accepts no more. So a peer that reads nothing is noticed as soon as its own
// receive buffer is full, and Buffered may be above the high-water mark, and above 0
// after a [Conn.Flush]. On other systems, over a Unix socket, and over a stream of
// another type, the bytes in the system's send buffer (up to SO_SNDBUF) are not known
// and do not count.
func (c *Conn) Buffered() int { return c.transport.Buffered() }

// Done returns a channel that is closed when the connection has ended, whether the
// program receives or not. Messages that arrived before may still wait to be received.
func (c *Conn) Done() <-chan struct{} {
	if !c.has(keptAlive) && c.done.Or(keptAlive)&keptAlive == 0 {
		c.dropped.Stop()
	}
	return c.ending.Done()
}

// Err returns nil while the connection is open, and then the
// [*errors.ConnectionClosed] that every call returns.
func (c *Conn) Err() error {
	if cause := c.ending.Cause(); cause != nil {
		return cause
	}
	return nil
}

// explain converts the error of a transport into the error for the caller: the end
// of ctx, or the first cause.
func (c *Conn) explain(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return &waitError{op: op, err: ctx.Err(), cause: context.Cause(ctx)}
	}
	if errors.Is(err, errors.ErrWouldBlock) {
		return err
	}
	// A transport that failed without saying why has lost the connection.
	c.ending.Set(&errors.ConnectionClosed{Reason: errors.AbnormalClosure, Err: err})
	return c.ending.Cause()
}

// waitError is a wait that ended with its context.
type waitError struct {
	op         string
	err, cause error
}

func (e *waitError) Error() string {
	s := "websocket: " + e.op + ": " + e.err.Error()
	if e.cause != nil && e.cause != e.err {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *waitError) Unwrap() []error { return []error{e.err, e.cause} }

func (e *waitError) Is(target error) bool { return target == errors.ErrWebSocket }

// Timeout reports whether a deadline ended the wait, as net.Error does.
func (e *waitError) Timeout() bool { return errors.Is(e.err, context.DeadlineExceeded) }

type sizeError struct {
	size, limit int64
	option      string
}

func (e *sizeError) Error() string {
	return errors.ErrMessageTooBig.Error() + ": " + strconv.FormatInt(e.size, 10) + " bytes, " + e.option + " is " + strconv.FormatInt(e.limit, 10)
}

func (e *sizeError) Unwrap() error { return errors.ErrMessageTooBig }

type reasonError struct{ reason errors.CloseReason }

func (e *reasonError) Error() string {
	return errors.ErrInvalidCloseReason.Error() + ": " + strconv.Itoa(int(e.reason)) +
		"; allowed are 1000-1003, 1007-1014, 3000-3900 and 3915-4999"
}

func (e *reasonError) Unwrap() error { return errors.ErrInvalidCloseReason }

type kindError struct{ kind Kind }

func (e *kindError) Error() string {
	return "websocket: invalid message kind " + strconv.Itoa(int(e.kind)) + "; allowed are KindText and KindBinary"
}

func (e *kindError) Is(target error) bool { return target == errors.ErrWebSocket }
