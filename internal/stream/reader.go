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

// The sizes of the read buffer of a stream that is not a socket. The buffer is held while
// waiting, so it is small. TLS keeps what such a read leaves, at no system call for the rest: if
// a read has filled the buffer, the next one takes a large buffer from the pool.
const (
	otherInputSize = 4 << 10
	tlsInputSize   = 512
)

// afterLarge is the size of the read for the header of a message after a large
// one.
const afterLarge = 2 << 10

// discardAtMost is the most bytes that are read and discarded after this side has ended the
// connection. The buffers of both systems together are smaller.
const discardAtMost = 16 << 20

// emptyReads is the maximum number of successive reads that return neither bytes nor an
// error, which io.Reader allows.
const emptyReads = 100

// reader is the receiving half of a Transport.
type reader struct {
	reading sync.Mutex   // the turn to read
	wanted  atomic.Int32 // goroutines that wait for the turn; its holder yields it
	unread  atomic.Bool  // some buffered input is not parsed
	waits   atomic.Bool  // a read of a stream other than a socket is under way

	arrivals      atomic.Uint32 // reads, if a heartbeat calls Arrivals
	inbox         driver.Inbox  // messages of background readers
	offerFirst    atomic.Pointer[func(driver.Message) bool]
	pulled        chan struct{} // wakes a permanent background reader; nil if there is none
	receiveBuffer uint32        // most bytes in the inbox

	// The fields below belong to the holder of the turn, or once over is set, to the
	// goroutine that set it.
	over    bool   // no more messages are parsed
	large   bool   // the last read went to the decoder's buffer
	direct  bool   // the next one does
	wait    bool   // the next one waits for input
	lent    bool   // a background reader has had the turn: check the inbox
	parked  bool   // no goroutine reads until Unpark
	filled  bool   // the last read from TLS filled the buffer
	reads   uint16 // calls that looked for a message
	seen    uint16 // reads when checkAbsence last looked
	decoder rfc6455.Decoder
	input   *input // nil while there is none

	watched  <-chan struct{} // the Done of the context that interrupts reads
	endsWith context.Context // a context that need not be watched
	intake   *intake         // nil if there are no limits
	unwatch  func() bool
	lastDone <-chan struct{} // the Done of the last context
}

// The results of a search for a message, other than a message or a stream error.
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
		// A read of such a stream would block, so a background reader does it. It may
		// already be reading.
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
			go t.readInBackground() // it may just have found the turn taken
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

// receivePushed is Receive if reads cannot be interrupted, and a background reader
// holds the turn permanently.
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

// takeTurn takes the turn. It makes a goroutine that reads yield, and waits for that.
func (t *Transport) takeTurn() {
	if t.reading.TryLock() {
		return
	}
	t.wanted.Add(1)
	t.Interrupt()
	t.reading.Lock()
	t.wanted.Add(-1)
}

// takeOver takes the turn permanently and reports true, or false if another goroutine has
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

// setOver ends the parsing of messages. cause is nil if the Ending already has one.
// Called with the turn.
func (t *Transport) setOver(cause *errors.ConnectionClosed) {
	// A receiver that finds over set reads the cause at once.
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
			// After its close, a stream yields at most its end.
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

// keep queues a message for a later Receive, unless offerFirst takes it. Called with the turn.
func (t *Transport) keep(m driver.Message) {
	if take := t.offerFirst.Load(); take == nil || t.inbox.Bytes() > 0 || !(*take)(m) {
		t.inbox.Push(m)
	}
}

// OfferFirst implements driver.BackgroundReceiver.
func (t *Transport) OfferFirst(take func(driver.Message) bool) {
	t.offerFirst.Store(&take)
}

// receive returns a message, first those that a background reader has queued. Called with the
// turn.
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

// next returns the next message from the stream, and handles the end of the
// connection if it is found first. Called with the turn.
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
			t.setUnread(t.more())
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

// countWhole counts a message of n bytes of data that the decoder has returned. An
// error ends the connection. Called with the turn.
func (t *Transport) countWhole(n int) error {
	if t.decoder.Compressed() {
		if err := t.countBytes(n); err != nil {
			return t.exceed(err)
		}
	}
	return t.countInParts(n)
}

// countInParts is like countWhole, for a message whose parts were counted.
func (t *Transport) countInParts(n int) error {
	if t.intake != nil {
		if err := t.countMessage(); err != nil {
			return t.exceed(err)
		}
	}
	t.traffic.receive(n, t.parsed())
	t.setUnread(t.more())
	return nil
}

// forget stops watching a context that differs from the last one. Such a context is usually
// canceled right after the call, and that should not interrupt a read.
func (t *Transport) forget(ctx context.Context, wait bool) {
	if wait && ctx != t.endsWith {
		if done := ctx.Done(); done != t.lastDone {
			t.lastDone = done
			t.watch(context.Background())
		}
	}
}

// noMessage handles an error that replaces a message, and returns the error for the
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

// nextMessage reads, parses and answers control frames until a message is complete, or until
// the next part of a message that is read in parts has arrived.
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
			t.setUnread(t.more())
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
		// The decoder may hold bytes of a message in parts.
		_, ev, err := t.decoder.Decode(nil)
		return ev, err
	}
	n, ev, err := t.decoder.Decode(in.data[in.r:in.w])
	in.r += n
	return ev, err
}

// more reports whether the next message may be here already.
func (r *reader) more() bool { return r.filled || !r.parsed() }

// parsed reports whether all input was parsed.
func (r *reader) parsed() bool { return r.input == nil || r.input.r == r.input.w }

// fill reads more input after all input was parsed. If wait is false, it reads only
// available bytes. It reads a large payload directly into the decoder's buffer, which may
// complete a message.
func (t *Transport) fill(ctx context.Context, wait bool) (rfc6455.Event, error) {
	t.traffic.publish()
	t.setUnread(false)
	t.traffic.hold(t.decoder.Held())
	if !wait || !t.filled { // otherwise a read is likely to return at once
		t.writeDeferred()
	}
	if !wait && !t.socket.usable() {
		return rfc6455.EventNone, errNothingYet
	}
	t.watch(ctx)
	// The interruption of a context that was already watched may have hit another reader.
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
		// The deadline may be from an earlier interruption. An interruption sets its
		// reason before its deadline, so the second check finds the reason of any
		// deadline that is cleared here.
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
		room := t.room()
		n, err := t.rwc.Read(room)
		t.waits.Store(false)
		t.filled = n == len(room) && !t.direct
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// room returns the buffer for the next read.
func (t *Transport) room() []byte {
	switch {
	case t.direct:
		return t.decoder.Direct()
	case t.socket.usable():
		if t.input == nil || t.input.buffer == nil {
			t.input = &inputBuffers.Get().(*inputBuffer).input
		}
		if t.large {
			// Another large message is likely. Its bytes read here are copied.
			return t.input.data[:afterLarge]
		}
	case t.socket.belowTLS() && t.filled:
		if t.input == nil || t.input.buffer == nil {
			if t.input != nil {
				tlsInputs.Put(t.input)
			}
			t.input = &inputBuffers.Get().(*inputBuffer).input
		}
	case t.socket.belowTLS():
		t.noInput()
		if t.input == nil || len(t.input.data) != tlsInputSize {
			t.input = tlsInputs.Get().(*input)
		}
	case t.input == nil || len(t.input.data) != otherInputSize:
		t.input = &input{data: make([]byte, otherInputSize)}
	}
	return t.input.data
}

// noInput returns the input buffer to the pool, if no input is available or no more
// will be read.
func (t *Transport) noInput() {
	if in := t.input; in != nil && in.buffer != nil {
		in.r, in.w = 0, 0
		inputBuffers.Put(in.buffer)
		t.input = nil
	}
}

// watch makes the end of ctx interrupt reads. Watching the same context again, as in
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

// awaitClose reads until the peer's close frame and reports whether it was received.
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

// fillClosing is like fill, but only the close timeout, which closes the stream, interrupts
// it.
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

// discard reads until the stream ends, or until the peer has sent so much that it must have
// had time to read.
func (t *Transport) discard() {
	for n := 0; n < discardAtMost; n += t.input.w {
		if _, err := t.fillClosing(); err != nil {
			return
		}
		t.input.r = t.input.w
	}
}
