package stream

import (
	"context"
	stderrors "errors"
	"io"
	"math"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// tlsInputSize is the read buffer of a stream that is not a socket. It is held
// while waiting, so it is small; TLS has buffers of its own below.
const tlsInputSize = 4 << 10

// afterLarge is how much is read to find the header of a message after a large
// one.
const afterLarge = 2 << 10

// discardAtMost is how much is read, and not used, of a peer whose connection is ended. Both
// systems together buffer less.
const discardAtMost = 16 << 20

// emptyReads is how many reads in a row may return neither bytes nor an error, which
// io.Reader allows.
const emptyReads = 100

// reader is the receiving half of a Transport.
type reader struct {
	reading sync.Mutex   // the turn to read
	wanted  atomic.Int32 // how many wait for the turn: its holder gives way
	unread  atomic.Bool  // input is buffered that was not parsed
	waits   atomic.Bool  // a read that is not a socket's is under way

	arrivals      atomic.Uint32 // reads, if a heartbeat asks for Arrivals
	inbox         driver.Inbox  // what background readers received
	offerFirst    atomic.Pointer[func(driver.Message) bool]
	pulled        chan struct{} // wakes a permanent background reader; nil if there is none
	receiveBuffer uint32        // bytes, of what waits in the inbox

	// What follows belongs to the holder of the turn, and once over is set, to the
	// goroutine that set it.
	over    bool   // no message will be parsed any more
	large   bool   // the last read went to the decoder's room
	direct  bool   // the next one does
	wait    bool   // the next one waits for input
	lent    bool   // a background reader has had the turn: look into the inbox
	parked  bool   // no goroutine reads until Unpark
	reads   uint16 // how many messages were looked for
	seen    uint16 // reads when checkAbsence last looked
	decoder rfc6455.Decoder
	input   *input // nil while there is none

	watched  <-chan struct{} // the Done of the context that interrupts reads
	endsWith context.Context // one that need not
	intake   *intake         // nil where nothing is limited
	unwatch  func() bool
	lastDone <-chan struct{} // the Done of the last context
}

// What a look for a message can come to, beside a message and a broken stream.
var (
	errNothingYet = stderrors.New("stream: no message has arrived")
	errGiveWay    = stderrors.New("stream: another reader wants the turn")
	errCloseFrame = stderrors.New("stream: close frame")
	errLarge      = stderrors.New("stream: a message that only NextReader may take")
)

func (r *reader) init(t *Transport, o Options, config ws.Config) {
	r.decoder.Init(o.Role, int64(config.MaxMessageSize), o.Deflate)
	r.decoder.SetMaxFragments(o.MaxFragments)
	if len(o.Prefix) > 0 {
		r.input = &input{data: o.Prefix, w: len(o.Prefix)}
		o.Traffic.arrive(len(o.Prefix))
	}
	r.endsWith = o.EndsWith
	r.intake = newIntake(o.Limits)
	r.receiveBuffer = DefaultReceiveBuffer
	if config.ReceiveBuffer > 0 {
		r.receiveBuffer = uint32(min(uint64(config.ReceiveBuffer), math.MaxUint32))
	}
	if !t.socket.usable() && !hasReadDeadlines(t.rwc) {
		r.pulled = make(chan struct{}, 1)
	} else if config.MaxStreamSize != int64(config.MaxMessageSize) {
		r.decoder.SetMaxParts(config.MaxStreamSize)
	}
}

// hasReadDeadlines reports whether a read from rwc can be interrupted. Some types
// have the method only to be a net.Conn, and return an error from it.
func hasReadDeadlines(rwc io.ReadWriteCloser) bool {
	conn, ok := rwc.(net.Conn)
	return ok && conn.SetReadDeadline(time.Time{}) == nil
}

// Receive implements driver.Transport.
func (t *Transport) Receive(ctx context.Context, buf []byte) (driver.Message, error) {
	if !t.interruptible() {
		return t.receivePushed(ctx, buf)
	}
	for {
		t.takeTurn()
		m, err := t.receive(ctx, buf, true)
		t.reading.Unlock()
		if err == errGiveWay {
			runtime.Gosched()
			continue
		}
		t.noticeAbsence()
		return m, err
	}
}

// TryReceive implements driver.Transport.
func (t *Transport) TryReceive(buf []byte) (driver.Message, bool, error) {
	if !t.socket.usable() {
		// Such a stream cannot be asked without blocking, so a background
		// reader does; it may be at it already.
		m, ok, err := t.inbox.Pull()
		if ok {
			t.tellPulled()
			return m.Into(buf), true, nil
		}
		if err != nil {
			return driver.Message{}, false, errEnded
		}
		if !t.reading.TryLock() {
			return driver.Message{}, false, nil
		}
	} else {
		t.takeTurn()
	}
	m, err := t.receive(context.Background(), buf, false)
	t.reading.Unlock()
	switch err {
	case nil:
		if !t.interruptible() {
			go t.readInBackground() // it may have found the turn taken just now
		} else {
			t.noticeAbsence()
		}
		return m, true, nil
	case errNothingYet, errGiveWay, errPaused:
		if !t.socket.usable() {
			go t.readInBackground()
		} else {
			t.noticeAbsence()
		}
		return driver.Message{}, false, nil
	}
	return driver.Message{}, false, err
}

// receivePushed is Receive where the reads cannot be interrupted, and a
// background reader has the turn for good.
func (t *Transport) receivePushed(ctx context.Context, buf []byte) (driver.Message, error) {
	m, err := t.inbox.Receive(ctx)
	switch err {
	case nil:
		t.tellPulled()
		return m.Into(buf), nil
	case io.EOF:
		return m, errEnded
	}
	return m, err
}

func (t *Transport) tellPulled() {
	select {
	case t.pulled <- struct{}{}:
	default:
	}
}

// takeTurn waits until no other goroutine reads, and makes the one that does give way.
func (t *Transport) takeTurn() {
	if t.reading.TryLock() {
		return
	}
	t.wanted.Add(1)
	t.Interrupt()
	t.reading.Lock()
	t.wanted.Add(-1)
}

// takeOver takes the turn for good and reports true, or false if another goroutine has
// done so before. cause is as for setOver.
func (t *Transport) takeOver(cause *errors.ConnectionClosed) bool {
	if !t.interruptible() {
		return false
	}
	t.takeTurn()
	defer t.reading.Unlock()
	if t.over {
		return false
	}
	t.setOver(cause)
	return true
}

// setOver ends the parsing of messages, for a cause, nil if the Ending has one
// already. Called with the turn.
func (t *Transport) setOver(cause *errors.ConnectionClosed) {
	// A receiver that finds that no message will come asks for the cause at once.
	if cause != nil {
		t.ending.Set(cause)
	}
	t.over = true
	t.traffic.publish()
	t.decoder.Discard()
	t.watch(context.Background())
	t.inbox.End()
}

// readInBackground reads into the inbox until another reader wants the turn,
// the inbox is full, or the connection ends.
func (t *Transport) readInBackground() {
	if !t.reading.TryLock() {
		return
	}
	defer t.reading.Unlock()
	if t.parked {
		return
	}
	t.lent = true
	for !t.over {
		if t.inbox.Bytes() >= int(t.receiveBuffer) {
			if t.interruptible() {
				return
			}
			// A stream that was closed has nothing more to queue but its end.
			if !t.released.Load() {
				<-t.pulled
				continue
			}
		}
		if t.decoder.InParts() {
			if more, err := t.readAhead(true); !more || err != nil {
				return
			}
			continue
		}
		m, err := t.next(context.Background(), nil, true)
		if err != nil {
			return
		}
		t.keep(m)
	}
}

// keep queues a message for a later Receive, unless it is taken at once. Called with the
// turn.
func (t *Transport) keep(m driver.Message) {
	if take := t.offerFirst.Load(); take == nil || t.inbox.Bytes() > 0 || !(*take)(m) {
		t.inbox.Push(m)
	}
}

// OfferFirst implements driver.BackgroundReceiver.
func (t *Transport) OfferFirst(take func(driver.Message) bool) {
	t.offerFirst.Store(&take)
}

// receive looks for a message, first among those that a background reader
// left. Called with the turn.
func (t *Transport) receive(ctx context.Context, buf []byte, wait bool) (driver.Message, error) {
	if t.lent {
		if m, ok, _ := t.inbox.Pull(); ok {
			return m.Into(buf), nil
		}
		t.lent = false
	}
	if t.over {
		return driver.Message{}, errEnded
	}
	m, err := t.next(ctx, buf, wait)
	if err == errLarge {
		err = t.noMessage(ctx, t.decoder.Refuse())
	}
	return m, err
}

// next returns the next message from the stream, and sees to the end of the
// connection if that comes first. Called with the turn.
func (t *Transport) next(ctx context.Context, buf []byte, wait bool) (driver.Message, error) {
	t.reads++
	if in := t.input; in != nil && !t.intake.paused() {
		if op, data, n := t.decoder.Small(in.data[in.r:in.w], buf); n > 0 {
			in.r += n
			if t.intake != nil {
				if err := t.countMessage(); err != nil {
					return driver.Message{}, t.exceed(err)
				}
			}
			t.traffic.receive(len(data), in.r == in.w)
			t.setUnread(in.r < in.w)
			return driver.Message{Kind: driver.Kind(op), Data: data}, nil
		}
	}
	if t.decoder.InParts() {
		if err := t.dropOpen(ctx, wait); err != nil {
			return driver.Message{}, err
		}
	}
	t.decoder.SetBuffer(buf)
	ev, err := t.nextMessage(ctx, wait)
	t.forget(ctx, wait)
	if err == nil && ev == rfc6455.EventMessage {
		op, data := t.decoder.Message()
		if err := t.countWhole(len(data)); err != nil {
			return driver.Message{}, err
		}
		return driver.Message{Kind: driver.Kind(op), Data: data}, nil
	}
	return driver.Message{}, t.noMessage(ctx, err)
}

// countWhole counts a message of n bytes of data that the decoder has handed over. An
// error ends the connection. Called with the turn.
func (t *Transport) countWhole(n int) error {
	if t.decoder.Compressed() {
		if err := t.countBytes(n); err != nil {
			return t.exceed(err)
		}
	}
	return t.countInParts(n)
}

// countInParts is countWhole for a message whose parts were counted.
func (t *Transport) countInParts(n int) error {
	if t.intake != nil {
		if err := t.countMessage(); err != nil {
			return t.exceed(err)
		}
	}
	t.traffic.receive(n, t.parsed())
	t.setUnread(!t.parsed())
	return nil
}

// forget stops watching a context that does not come back: it is usually cancelled right
// after this, and that should not start an interruption.
func (t *Transport) forget(ctx context.Context, wait bool) {
	if wait && ctx != t.endsWith {
		if done := ctx.Done(); done != t.lastDone {
			t.lastDone = done
			t.watch(context.Background())
		}
	}
}

// noMessage sees to what came in place of a message, and returns the error for the
// caller. Called with the turn.
func (t *Transport) noMessage(ctx context.Context, err error) error {
	t.decoder.Detach()
	t.setUnread(err == errLarge)
	switch err {
	case errNothingYet, errGiveWay, errPaused, errLarge:
		return err
	case errCloseFrame:
		code, message := t.decoder.Close()
		t.setOver(t.closedByPeer(code, message))
		t.answerClose(code)
		t.noInput()
		return errEnded
	}
	if ctx.Err() != nil && err == ctx.Err() {
		return err
	}
	if _, ok := errors.AsType[*exceeded](err); ok {
		return t.exceed(err)
	}
	if failed, ok := errors.AsType[*rfc6455.Error](err); ok {
		cause := &errors.ConnectionClosed{Reason: errors.CloseReason(failed.Code), Message: failed.Reason}
		t.brokeRule(failed)
		t.setOver(cause)
		t.fail(cause)
	} else {
		t.setOver(lost(t.brokenOff(err)))
		t.release()
		t.noInput()
	}
	return errEnded
}

// exceed ends a connection whose peer has sent too much, and returns the error for its
// reader. err is an *exceeded. Called with the turn.
func (t *Transport) exceed(err error) error {
	over := err.(*exceeded)
	t.struck(over.limit)
	cause := &errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: over.message}
	t.setUnread(false)
	t.setOver(cause)
	t.fail(cause)
	return errEnded
}

// nextMessage parses, reads and answers control frames until a message is whole, or of one
// that is taken in parts, until the next part has come.
func (t *Transport) nextMessage(ctx context.Context, wait bool) (rfc6455.Event, error) {
	for {
		if t.intake.paused() {
			if err := t.pause(ctx, wait); err != nil {
				return rfc6455.EventNone, err
			}
		}
		ev, err := t.parse()
		if ev == rfc6455.EventNone && err == nil {
			if t.decoder.Filled() > 0 {
				return rfc6455.EventPart, nil
			}
			ev, err = t.fill(ctx, wait)
		}
		if err != nil {
			return ev, err
		}
		switch ev {
		case rfc6455.EventMessage, rfc6455.EventBegin, rfc6455.EventPart:
			return ev, nil
		case rfc6455.EventLarge:
			return ev, errLarge
		case rfc6455.EventClose:
			return ev, errCloseFrame
		case rfc6455.EventPing:
			t.setUnread(!t.parsed())
			t.sendPong(t.decoder.Control())
			err = t.countControl()
		case rfc6455.EventPong:
			if took, ok := t.pong(t.now(), t.decoder.Control()); ok && t.traffic != nil && t.traffic.RoundTrips != nil {
				t.traffic.RoundTrips.Add(took)
			}
			err = t.countControl()
		}
		if err != nil {
			return rfc6455.EventNone, err
		}
	}
}

// parse takes one event from the input that was read.
func (t *Transport) parse() (rfc6455.Event, error) {
	in := t.input
	if t.parsed() {
		if !t.decoder.InParts() {
			return rfc6455.EventNone, nil
		}
		// The decoder may hold something of a message in parts.
		_, ev, err := t.decoder.Decode(nil)
		return ev, err
	}
	n, ev, err := t.decoder.Decode(in.data[in.r:in.w])
	in.r += n
	return ev, err
}

// parsed reports whether all that was read was parsed.
func (r *reader) parsed() bool { return r.input == nil || r.input.r == r.input.w }

// fill reads more input once all was parsed. With wait false it only takes
// what is there. A large payload is read to where it belongs, and may complete
// a message.
func (t *Transport) fill(ctx context.Context, wait bool) (rfc6455.Event, error) {
	t.traffic.publish()
	t.setUnread(false)
	t.traffic.hold(t.decoder.Held())
	t.writeDeferred()
	if !wait && !t.socket.usable() {
		return rfc6455.EventNone, errNothingYet
	}
	t.watch(ctx)
	// A context that was watched already may have interrupted another reader.
	if wait && ctx.Err() != nil {
		return rfc6455.EventNone, ctx.Err()
	}
	t.direct = t.decoder.Direct() != nil
	defer func() { t.direct = false }()
	for {
		n, err := t.read(wait)
		switch {
		case n > 0:
			t.heard()
			t.traffic.arrive(n)
			if err := t.countBytes(n); err != nil {
				return rfc6455.EventNone, err
			}
			if t.large = t.direct; t.large {
				return t.decoder.Advance(n)
			}
			t.input.r, t.input.w = 0, n
			return rfc6455.EventNone, nil
		case err == nil:
			return rfc6455.EventNone, errNothingYet
		case !isTimeout(err):
			return rfc6455.EventNone, err
		}
		if err := t.whyInterrupted(ctx); err != nil {
			return rfc6455.EventNone, err
		}
		// A deadline of an earlier interruption. Who sets one says so first, so
		// what was set before it is cleared here shows in a second look.
		t.setReadDeadline(time.Time{})
		if err := t.whyInterrupted(ctx); err != nil {
			return rfc6455.EventNone, err
		}
	}
}

func (t *Transport) whyInterrupted(ctx context.Context) error {
	if t.wanted.Load() > 0 {
		return errGiveWay
	}
	return ctx.Err()
}

// read reads into the decoder's buffer if direct, and into the input buffer otherwise.
func (t *Transport) read(wait bool) (int, error) {
	if t.socket.usable() {
		t.wait = wait
		return t.socket.read()
	}
	for range emptyReads {
		t.waits.Store(true)
		n, err := t.rwc.Read(t.room())
		t.waits.Store(false)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// room returns where the next read goes.
func (t *Transport) room() []byte {
	switch {
	case t.direct:
		return t.decoder.Direct()
	case t.socket.usable():
		if t.input == nil || t.input.buffer == nil {
			t.input = &inputBuffers.Get().(*inputBuffer).input
		}
		if t.large {
			// Another large message is likely: what is read here of it is copied.
			return t.input.data[:afterLarge]
		}
	case t.input == nil || len(t.input.data) != tlsInputSize:
		t.input = &input{data: make([]byte, tlsInputSize)}
	}
	return t.input.data
}

// noInput gives the input buffer back: there is nothing to put in it, or
// nothing will be read any more.
func (t *Transport) noInput() {
	if in := t.input; in != nil && in.buffer != nil {
		in.r, in.w = 0, 0
		inputBuffers.Put(in.buffer)
		t.input = nil
	}
}

// watch makes the end of ctx interrupt reads. A context that comes back, as in
// a loop, costs nothing.
func (t *Transport) watch(ctx context.Context) {
	if ctx == t.endsWith {
		return
	}
	done := ctx.Done()
	if done == t.watched {
		return
	}
	if t.unwatch != nil {
		t.unwatch()
		t.unwatch = nil
	}
	t.watched = done
	if done != nil {
		t.unwatch = context.AfterFunc(ctx, t.Interrupt)
	}
}

func (t *Transport) setUnread(unread bool) {
	if t.unread.Load() != unread {
		t.unread.Store(unread)
	}
}

// awaitClose reads until the peer's close frame and reports whether it came.
// Called after takeOver.
func (t *Transport) awaitClose() bool {
	for {
		ev, err := t.parse()
		if ev == rfc6455.EventNone && err == nil {
			ev, err = t.fillClosing()
		}
		if err != nil {
			return false
		}
		switch ev {
		case rfc6455.EventClose:
			return true
		case rfc6455.EventMessage:
			t.decoder.Message()
		}
	}
}

// fillClosing is fill where only the close timeout, which closes the stream,
// interrupts.
func (t *Transport) fillClosing() (rfc6455.Event, error) {
	for {
		n, err := t.read(true)
		switch {
		case n > 0:
			t.traffic.arrive(n)
			t.input.r, t.input.w = 0, n
			return rfc6455.EventNone, nil
		case err == nil:
			return rfc6455.EventNone, io.ErrNoProgress
		case !isTimeout(err):
			return rfc6455.EventNone, err
		}
		t.setReadDeadline(time.Time{})
	}
}

// discard reads until the stream ends, or the peer has sent so much that it must have had the
// time to read.
func (t *Transport) discard() {
	for n := 0; n < discardAtMost; n += t.input.w {
		if _, err := t.fillClosing(); err != nil {
			return
		}
		t.input.r = t.input.w
	}
}
