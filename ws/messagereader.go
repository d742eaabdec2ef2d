package ws

import (
	"context"
	"io"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// NextReader waits for the next message and returns a reader of its data, which need not
// be in memory as a whole: Read returns the data that has arrived. At the end of the
// message, and only there, Read returns [io.EOF]. MaxStreamSize is the limit in place of
// MaxMessageSize: natively a message over it ends the connection at the frame that
// exceeds it, a compressed one when it has been inflated so far.
//
// A browser delivers a message only when it is complete, and keeps it outside Go's
// memory: Read copies it from there. A transport that does not implement
// [driver.StreamReceiver] delivers the whole message in memory, up to MaxMessageSize.
//
// ctx limits the wait of NextReader and that of each Read, as in [Conn.Receive]: if it
// ends, the error is ctx.Err() and the connection stays open. If the connection ends
// before the message is whole, Read returns its [*errors.ConnectionClosed], after a local
// Close at once, and otherwise after the data that arrived before.
//
// A message need not be read to its end: the next NextReader, Receive or TryReceive
// drops the rest of it, for which it waits, and the older reader then returns an
// [errors.ErrMessageAbandoned]. NextReader and Read belong to the goroutine that
// receives: during another Receive, the error is [errors.ErrConcurrentReceive].
//
// While the program reads nothing, at most ReceiveBuffer bytes are read ahead. Pings of
// the peer that arrive after these are answered when the program continues to read.
func (c *Conn) NextReader(ctx context.Context) (Kind, io.Reader, error) {
	if !c.receiving.CompareAndSwap(false, true) {
		return 0, nil, errors.ErrConcurrentReceive
	}
	defer c.receiving.Store(false)
	c.reader = nil
	for {
		if c.closed.Load() {
			return 0, nil, c.ending.Cause()
		}
		r, err := c.beginMessage(ctx)
		if c.closed.Load() {
			return 0, nil, c.ending.Cause()
		}
		if err != nil {
			return 0, nil, c.explain(ctx, "receive", err)
		}
		m := &messageReader{c: c, ctx: ctx, r: r}
		if !m.isHeartbeat() {
			c.reader = m
			return r.Kind(), m, nil
		}
	}
}

// beginMessage waits for the next message, of any kind.
func (c *Conn) beginMessage(ctx context.Context) (driver.MessageReader, error) {
	s, ok := c.transport.(driver.StreamReceiver)
	if !ok {
		m, err := c.next(ctx, nil)
		if err != nil {
			return nil, err
		}
		return driver.ReaderOf(driver.Message(m)), nil
	}
	r, err := s.NextReader(ctx)
	if err != nil && ctx.Err() != nil && c.ending.Cause() != nil {
		// ctx may have ended because the connection has; see next.
		if r, err = s.NextReader(ctx); err != nil {
			err = c.ending.Cause()
		}
	}
	return r, err
}

// messageReader reads one message. Its fields belong to the goroutine that receives.
type messageReader struct {
	c     *Conn
	ctx   context.Context
	r     driver.MessageReader
	first []byte // was read already
	err   error
}

// Read implements io.Reader.
func (m *messageReader) Read(p []byte) (int, error) {
	c := m.c
	if !c.receiving.CompareAndSwap(false, true) {
		return 0, errors.ErrConcurrentReceive
	}
	defer c.receiving.Store(false)
	switch {
	case m.err != nil && len(m.first) == 0:
		return 0, m.err
	case c.reader != m:
		m.first, m.err = nil, &abandonedError{errSuperseded}
		return 0, m.err
	case c.closed.Load():
		return 0, c.ending.Cause()
	case len(p) == 0:
		return 0, nil
	case len(m.first) > 0:
		n := copy(p, m.first)
		m.first = m.first[n:]
		return n, nil
	}
	n, err := m.read(p)
	switch {
	case err == io.EOF:
		m.err, m.r = err, nil
	case c.closed.Load():
		return 0, c.ending.Cause()
	case err != nil:
		err = c.explain(m.ctx, "read", err)
	}
	return n, err
}

func (m *messageReader) read(p []byte) (int, error) {
	n, err := m.r.Read(m.ctx, p)
	if err != nil && err != io.EOF && m.ctx.Err() != nil && m.c.ending.Cause() != nil {
		if n, err = m.r.Read(m.ctx, p); err != nil && err != io.EOF {
			err = m.c.ending.Cause()
		}
	}
	return n, err
}

var errSuperseded = errors.New("another message was received meanwhile")

// isHeartbeat reads the beginning of the message if it may be a heartbeat, or the answer
// to one, and reports whether it is.
func (m *messageReader) isHeartbeat() bool {
	c := m.c
	longest, kind := 0, m.r.Kind()
	consider := func(x Message) {
		if x.Kind == kind {
			longest = max(longest, len(x.Data))
		}
	}
	if c.heartbeat != nil {
		consider(c.heartbeat.Answer)
	}
	if c.answers != nil {
		consider(c.answers.Message)
	}
	first := make([]byte, 0, longest+1)
	for longest > 0 && len(first) <= longest {
		n, err := m.read(first[len(first):cap(first)])
		first = first[:len(first)+n]
		if err == io.EOF {
			m.err, m.first = err, first
			return c.takes(Message{Kind: kind, Data: first})
		}
		if err != nil {
			break // Read will return it, or read on
		}
	}
	m.first = first
	if h := c.heartbeat; h != nil {
		h.received.Add(1)
	}
	return false
}
