package stream

import (
	"context"
	stderrors "errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws/driver"
)

// Transport is a driver.Transport over a byte stream.
type Transport struct {
	rwc    io.ReadWriteCloser
	socket socket // rwc if it supports non-blocking I/O, otherwise not usable
	ending driver.Ending

	reader
	writer
	liveness

	closeTimeout time.Duration
	closed       sync.WaitGroup // waits until rwc is closed
}

var (
	_ driver.Transport          = (*Transport)(nil)
	_ driver.ArrivalCounter     = (*Transport)(nil)
	_ driver.DepartureCounter   = (*Transport)(nil)
	_ driver.BackgroundReceiver = (*Transport)(nil)
	_ driver.LatencyMeter       = (*Transport)(nil)
	_ driver.Failer             = (*Transport)(nil)
	_ driver.TrySender          = (*Transport)(nil)
	_ driver.TryPreparedSender  = (*Transport)(nil)
	_ driver.PreparedSender     = (*Transport)(nil)
	_ driver.StreamSender       = (*Transport)(nil)
	_ driver.StreamReceiver     = (*Transport)(nil)
	_ driver.PingSender         = (*Transport)(nil)
	_ driver.Pinger             = (*Transport)(nil)
)

// errEnded is the error of a call after the end. The Ending has the cause.
var errEnded = stderrors.New("websocket: the connection has ended")

// New returns the transport over rwc, which it takes over.
//
// A [*net.TCPConn] or [*net.UnixConn] is read and written through its descriptor,
// without blocking. Any other type, even one that embeds these, is used only through its own
// methods, because it may encrypt or count the bytes. SetReadDeadline interrupts the reads of
// a [net.Conn]. If that returns an error, or rwc is not a net.Conn, a goroutine of the
// connection reads until Close.
func New(rwc io.ReadWriteCloser, o Options) *Transport {
	config := o.Config.WithDefaults()
	t := &Transport{
		rwc:          rwc,
		closeTimeout: config.CloseTimeout,
	}
	t.closed.Add(1)
	t.socket.init(t)
	t.reader.init(t, o, config)
	t.writer.init(t, o, config)
	t.watchOver(o)
	t.watchIdle()
	if !t.interruptible() {
		t.lent = true
		go t.readInBackground()
	}
	return t
}

// Ending implements driver.Transport.
func (t *Transport) Ending() *driver.Ending { return &t.ending }

// Close implements driver.Transport.
func (t *Transport) Close(ctx context.Context, reason errors.CloseReason, message string) error {
	t.inbox.End()
	t.inbox.Clear()
	t.tellPulled()
	// This side may just have ended the connection for another reason, and not have sent
	// that reason yet.
	if cause := t.ending.Cause(); cause != nil {
		reason, message = cause.Reason, cause.Message
		if cause.Remote {
			message = ""
		}
	}
	t.sendClose(reason, message)
	stop := context.AfterFunc(ctx, t.release)
	defer stop()
	if t.takeOver(nil) {
		if t.awaitClose() {
			t.noteAnswer()
			// The peer may have closed at the same time, and then waits for our close frame.
			t.awaitWritten()
		}
		t.noInput()
		t.release()
	}
	// If another goroutine has taken over, it closes the stream.
	t.closed.Wait()
	switch {
	case t.wasAnswered():
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return io.ErrUnexpectedEOF
}

// fail ends the connection for cause, which this side found. The caller has
// set over.
func (t *Transport) fail(cause *errors.ConnectionClosed) {
	t.sendClose(cause.Reason, cause.Message)
	// Closing a socket with unread bytes resets the connection, and the reset can
	// overtake the close frame. So read until the peer has seen the frame.
	t.finish(func() {
		t.awaitWritten()
		if half, ok := t.rwc.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		t.discard()
		t.noInput()
	})
}

// lost is the cause of the end of a connection that broke.
func lost(err error) *errors.ConnectionClosed {
	return &errors.ConnectionClosed{Reason: errors.AbnormalClosure, Err: err}
}

// brokenOff returns the error of a failed read. It is io.ErrUnexpectedEOF if the stream
// ended inside a frame or between the frames of a message.
func (t *Transport) brokenOff(err error) error {
	if err == io.EOF && !t.decoder.Idle() {
		return io.ErrUnexpectedEOF
	}
	return err
}

// closedByPeer returns the cause that a close frame reports.
func (t *Transport) closedByPeer(code uint16, message string) *errors.ConnectionClosed {
	reason := errors.CloseReason(code)
	if t.role == rfc6455.Server {
		reason = reason.FromBrowserAlias()
	}
	return &errors.ConnectionClosed{Reason: reason, Message: message, Remote: true}
}

// answerClose ends a connection whose peer has sent a close frame with code
// (RFC 6455, section 5.5.1). The caller has set over.
func (t *Transport) answerClose(code uint16) {
	t.noteAnswer()
	t.sendClose(errors.CloseReason(code), "")
	if t.written() {
		t.release()
	} else {
		t.finish(t.awaitWritten)
	}
}

// finish releases t after last returns, or after the close timeout.
func (t *Transport) finish(last func()) {
	timer := time.AfterFunc(t.closeTimeout, t.release)
	go func() {
		defer timer.Stop()
		last()
		t.release()
	}()
}

// release closes the stream and frees all resources.
func (t *Transport) release() {
	if !t.released.CompareAndSwap(false, true) {
		return
	}
	t.liveness.stop()
	t.stopIdle()
	t.rwc.Close()
	t.intake.interrupt()
	t.dropOutput(net.ErrClosed)
	t.closed.Done()
	t.tellPulled()
}

// Interrupt makes a read that is under way, or the next one, return. A waiting Receive then
// checks its context again. Other packages call it if the context Options.EndsWith ends
// before the connection.
func (t *Transport) Interrupt() {
	t.intake.interrupt()
	if t.interruptible() {
		t.setReadDeadline(time.Unix(1, 0))
	}
}

// interruptible reports whether the stream has read deadlines.
func (t *Transport) interruptible() bool { return t.pulled == nil }

// setReadDeadline sets the read deadline of an interruptible stream.
func (t *Transport) setReadDeadline(at time.Time) { t.rwc.(net.Conn).SetReadDeadline(at) }

func isTimeout(err error) bool { return stderrors.Is(err, os.ErrDeadlineExceeded) }

// connOutlet is the outlet of a Transport's writer.
type connOutlet Transport

func (o *connOutlet) usable() bool { return o.socket.usable() }

func (o *connOutlet) tryWrite(header, payload []byte) (int, error) {
	return o.socket.write(header, payload)
}

func (o *connOutlet) Write(p []byte) (int, error) { return o.rwc.Write(p) }

func (o *connOutlet) takesAtOnce() bool { return o.socket.takesAtOnce() }

func (o *connOutlet) unsent() int { return unsent((*Transport)(o)) }

func (o *connOutlet) moreToAnswer() bool { return o.unread.Load() }

func (o *connOutlet) hasEnded() bool { return o.ending.Cause() != nil }

func (o *connOutlet) broke(err error) { (*Transport)(o).expectEnd(err) }

// IsSocket reports whether the stream is read and written through its descriptor.
func (t *Transport) IsSocket() bool { return t.socket.usable() }
