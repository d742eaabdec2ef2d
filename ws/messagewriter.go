package ws

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// abandonedMessage is the message of the [errors.ConnectionClosed] that ends a
// connection because a message was begun and not completed.
const abandonedMessage = "a message was begun and not completed"

// NextWriter returns a writer for one message that need not be in memory as a whole.
// Written data is sent in fragments of FragmentSize, compressed if the connection
// compresses, and Close completes the message. A message that fits into one fragment is
// sent as Send sends it. Write waits while 128 KiB or a whole fragment is queued.
//
// A browser has no fragments: there the message is gathered outside Go's memory, and
// Close sends it. If the JavaScript environment cannot gather it, NextWriter returns an
// [errors.ErrUnsupported]. A transport that does not implement [driver.StreamSender]
// gathers the message in memory, up to MaxMessageSize.
//
// Only one message is written at a time. From NextWriter to the writer's Close, another
// NextWriter, Send, SendPrepared and Confirm wait as long as their contexts allow, and
// TrySend returns [errors.ErrWouldBlock]; a goroutine that calls them before it closes
// its own writer waits for itself. Pings, pongs and the close frame are sent between
// the fragments. A ping replaces a Heartbeat, which cannot be sent there.
//
// ctx is the context of the whole message, not of this call alone: if it ends before Close
// has returned, the message is abandoned, as it is if Write fails, or if the program drops
// the writer. To abandon a message, end ctx. If nothing was written yet, the connection
// stays open. Otherwise the beginning of the message may have reached the peer, which must
// not take it for the whole: so the connection ends, on every target, with
// [errors.InternalError]. Write and Close then return an [errors.ErrMessageAbandoned] that
// wraps the reason, or the [*errors.ConnectionClosed] if the connection ended first.
//
// Besides the end of ctx, the reasons of Write are [errors.ErrInvalidUTF8] and, for data
// over MaxStreamSize, [errors.ErrMessageTooBig]. After a Close that returned nil, Write
// returns [io.ErrClosedPipe]. The writer belongs to one goroutine at a time.
func (c *Conn) NextWriter(ctx context.Context, kind Kind) (io.WriteCloser, error) {
	if err := c.maySend((Message{Kind: kind}).Check(0)); err != nil {
		return nil, err
	}
	t := &turn{done: make(chan struct{})}
	for {
		if ctx.Err() != nil {
			return nil, c.explain(ctx, "write", ctx.Err())
		}
		if c.streams.current.CompareAndSwap(nil, t) {
			break
		}
		if err := c.awaitTurn(ctx, "NextWriter", "write"); err != nil {
			return nil, err
		}
	}
	m := &messageWriter{c: c, ctx: ctx, kind: kind, turn: t, max: c.streams.maxSize, option: "MaxStreamSize"}
	if sender, ok := c.transport.(driver.StreamSender); ok {
		var err error
		if m.w, err = sender.NextWriter(ctx, kind, c.streams.fragment); err != nil {
			c.streams.end(t)
			if errors.Is(err, errors.ErrUnsupported) {
				return nil, err
			}
			return nil, c.explain(ctx, "write", err)
		}
	} else {
		m.w = &gatherer{t: c.transport, kind: kind}
		m.max, m.option = int64(c.maxMessage), "MaxMessageSize"
	}
	m.unwatch = context.AfterFunc(ctx, m.ctxEnded)
	w := &writerHandle{m}
	runtime.AddCleanup(w, (*messageWriter).forgotten, m)
	return w, nil
}

// writerHandle is the program's handle on a messageWriter. If the program drops it, the
// message is abandoned.
type writerHandle struct{ m *messageWriter }

func (w *writerHandle) Write(p []byte) (int, error) {
	defer runtime.KeepAlive(w)
	return w.m.write(p)
}

func (w *writerHandle) Close() error {
	defer runtime.KeepAlive(w)
	return w.m.close()
}

// messageWriter writes one message. It is open until err is set.
type messageWriter struct {
	c       *Conn
	ctx     context.Context
	kind    Kind
	turn    *turn
	w       driver.MessageWriter
	max     int64 // bytes of data; 0 for no limit
	option  string
	unwatch func() bool

	mu    sync.Mutex
	size  int64
	text  textCheck
	begun bool // something was written
	err   error
	done  bool // Close returned nil
}

func (m *messageWriter) write(p []byte) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.err != nil:
		return 0, m.err
	case m.ctx.Err() != nil:
		return 0, m.fail(m.ctx.Err())
	case m.c.ending.Cause() != nil:
		return 0, m.fail(m.c.ending.Cause())
	case len(p) == 0:
		return 0, nil
	case m.max > 0 && int64(len(p)) > m.max-m.size:
		return 0, m.fail(&sizeError{size: m.size + int64(len(p)), limit: m.max, option: m.option})
	case m.kind == KindText && !m.text.add(p):
		return 0, m.fail(errors.ErrInvalidUTF8)
	}
	m.begun = true
	n, err = m.w.Write(m.ctx, p)
	m.size += int64(n)
	if err != nil {
		err = m.fail(err)
	}
	return n, err
}

func (m *messageWriter) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.done:
		return nil
	case m.err != nil:
		return m.err
	case m.ctx.Err() != nil:
		return m.fail(m.ctx.Err())
	case !m.text.whole():
		return m.fail(errors.ErrInvalidUTF8)
	}
	if err := m.w.Close(m.ctx); err != nil {
		if errors.Is(err, errors.ErrWouldBlock) {
			return err // Close may be called again, on another goroutine
		}
		return m.fail(err)
	}
	m.done, m.err = true, &unusableError{"write after Close", io.ErrClosedPipe}
	m.release()
	return nil
}

// fail abandons the message because of err, and returns the error for the caller. mu
// must be held.
func (m *messageWriter) fail(err error) error {
	c := m.c
	unsupported := errors.Is(err, errors.ErrUnsupported)
	switch {
	case c.ending.Cause() != nil:
		m.err = c.ending.Cause()
	case unsupported, err == errForgotten, errors.Is(err, errors.ErrInvalidUTF8), errors.Is(err, errors.ErrMessageTooBig):
		m.err = &abandonedError{err}
	default:
		if m.err = c.explain(m.ctx, "write", err); c.ending.Cause() == nil {
			m.err = &abandonedError{m.err}
		}
	}
	if m.begun && !unsupported && c.ending.Cause() == nil {
		c.abort(errors.InternalError, abandonedMessage, m.err)
	}
	m.w.Abandon()
	m.release()
	return m.err
}

// release allows other messages to be sent.
func (m *messageWriter) release() {
	m.unwatch()
	m.c.streams.end(m.turn)
}

// ctxEnded abandons the message of a program that neither writes nor closes.
func (m *messageWriter) ctxEnded() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.fail(m.ctx.Err())
	}
}

var errForgotten = errors.New("the writer was dropped without Close")

func (m *messageWriter) forgotten() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.fail(errForgotten)
	}
}

// gatherer is the MessageWriter of a transport that can only send whole messages.
type gatherer struct {
	t    driver.Transport
	kind Kind
	data []byte
}

func (g *gatherer) Write(_ context.Context, p []byte) (int, error) {
	g.data = append(g.data, p...)
	return len(p), nil
}

func (g *gatherer) Close(ctx context.Context) error {
	return g.t.Send(ctx, driver.Message{Kind: g.kind, Data: g.data})
}

func (g *gatherer) Abandon() { g.data = nil }

// streams is the state of a Conn's messages that are written in parts.
type streams struct {
	current  atomic.Pointer[turn] // of the message that is being written; nil: none
	maxSize  int64
	fragment int
	answer   func() error // sends the answer to a heartbeat, or returns an error where it would wait
}

// turn is the period in which one message is written and no other is sent.
type turn struct {
	done chan struct{}

	mu    sync.Mutex
	ended bool
	owed  int // answers to heartbeats that could not be sent
}

// awaitTurn waits until no message is being written.
func (c *Conn) awaitTurn(ctx context.Context, call, op string) error {
	for {
		t := c.streams.current.Load()
		if t == nil {
			return nil
		}
		if err := c.mayWait(call, "a message is being written; call it on another goroutine"); err != nil {
			return err
		}
		select {
		case <-t.done:
		case <-c.ending.Done():
			return c.ending.Cause()
		case <-ctx.Done():
			return c.explain(ctx, op, ctx.Err())
		}
	}
}

// busy reports whether a message is being written.
func (s *streams) busy() bool { return s.current.Load() != nil }

// end ends t and sends the answers that are owed.
func (s *streams) end(t *turn) {
	t.mu.Lock()
	t.ended = true
	owed := t.owed
	t.mu.Unlock()
	for ; owed > 0 && s.answer() == nil; owed-- {
	}
	s.current.CompareAndSwap(t, nil)
	close(t.done)
}

// owe arranges for an answer after the message that is being written, and reports false
// if there is none.
func (s *streams) owe() bool {
	t := s.current.Load()
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.owed++
	}
	return !t.ended
}

// abandonedError is an ErrMessageAbandoned with its reason.
type abandonedError struct{ why error }

func (e *abandonedError) Error() string {
	return errors.ErrMessageAbandoned.Error() + ": " + e.why.Error()
}

func (e *abandonedError) Unwrap() []error { return []error{errors.ErrMessageAbandoned, e.why} }

// unusableError is a call at a time when it is not allowed.
type unusableError struct {
	what string
	err  error
}

func (e *unusableError) Error() string { return "websocket: " + e.what }

func (e *unusableError) Unwrap() error { return e.err }

func (e *unusableError) Is(target error) bool { return target == errors.ErrWebSocket }
