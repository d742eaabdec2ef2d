//go:build js

package browsersocket

import (
	"context"
	"io"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/internal/relay"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// defaultReceiveBuffer is ReceiveBuffer in a browser.
const defaultReceiveBuffer = 16 << 20

// inbound is the receiving side. The relay keeps arriving messages, and passes many of
// them to Go at a time: when it wakes Go, or when Go asks.
type inbound struct {
	relay *relay.Relay
	limit int // most bytes that may wait

	mu       sync.Mutex
	messages []byte // taken and not delivered, each after its header
	memory   []byte // the memory of messages
	dropped  bool   // no more messages are delivered

	// The callbacks use the fields below without that lock.
	handed    handed
	wakeup    wakeup
	waiting   atomic.Bool  // in Receive
	armed     atomic.Bool  // the relay will wake Go for all messages that it has
	over      atomic.Bool  // no more messages will arrive
	delivered atomic.Int64 // bytes, headers included
}

// handed holds the messages of a wake-up. Its lock is not held during calls into
// JavaScript that may run other callbacks.
type handed struct {
	mu       sync.Mutex
	messages []byte
	err      error
}

func (b *inbound) init(config *ws.Config) {
	b.wakeup.init()
	if b.limit = config.ReceiveBuffer; b.limit <= 0 {
		b.limit = defaultReceiveBuffer
	}
}

// awaken takes the messages that woke Go, which are n bytes of messages, or one message
// without its header h if n is 0. It returns when the relay wakes Go again.
func (b *inbound) awaken(h relay.Header, n int) relay.Mode {
	b.handed.mu.Lock()
	several, err := b.handed.take(b.relay, h, n)
	mode := relay.Never
	if err == nil && b.waiting.Load() {
		mode, err = b.wakeup.adapt(b.relay, several)
	}
	b.handed.err = err
	b.handed.mu.Unlock()
	b.armed.Store(mode != relay.Never)
	b.wakeup.notify()
	return mode
}

// take reads n bytes of messages; if n is 0, one message, and puts the header alone before it.
func (h *handed) take(r *relay.Relay, alone relay.Header, n int) (several bool, err error) {
	isAlone := n == 0
	if isAlone {
		h.messages = relay.AppendHeader(h.messages, alone)
		n = alone.Counted()
	}
	begin := len(h.messages)
	h.messages = grow(h.messages, n)
	fresh := h.messages[begin:]
	err = r.Read(fresh)
	return !isAlone && relay.HeaderOf(fresh).Len() < n, err
}

// grow returns b extended by n bytes.
func grow(b []byte, n int) []byte { return slices.Grow(b, n)[:len(b)+n] }

// accept makes the messages of the last wake-up the next to be delivered.
func (b *inbound) accept() error {
	h := &b.handed
	h.mu.Lock()
	defer h.mu.Unlock()
	b.messages, h.messages = h.messages, b.memory[:0]
	b.memory = b.messages
	return h.err
}

// fill makes b.messages non-empty if any message has arrived. The caller holds b.mu.
func (b *inbound) fill() error {
	if err := b.accept(); len(b.messages) > 0 || err != nil || b.armed.Load() && !b.over.Load() {
		return err
	}
	n, full, err := b.relay.Take(b.wakeup.mode())
	if err != nil {
		return err
	}
	b.armed.Store(n == 0)
	if n == 0 {
		return nil
	}
	b.memory = grow(b.memory[:0], n)
	b.messages = b.memory
	if full.IsUndefined() {
		return b.relay.Read(b.messages)
	}
	_, err = jscall.CopyBytesToGo(b.messages, full)
	return err
}

// front returns the header of the oldest message. If there is none, ok is false, and err
// is io.EOF if none will arrive. The caller holds b.mu, as for data and next.
func (b *inbound) front() (h relay.Header, ok bool, err error) {
	if b.dropped {
		return 0, false, io.EOF
	}
	if len(b.messages) == 0 {
		if err := b.fill(); err != nil {
			return 0, false, err
		}
		if len(b.messages) == 0 {
			if b.over.Load() {
				err = io.EOF
			}
			return 0, false, err
		}
	}
	return relay.HeaderOf(b.messages), true, nil
}

// data returns the data of the oldest message, which the relay did not keep apart.
func (b *inbound) data(h relay.Header) []byte { return b.messages[relay.HeaderSize:h.Len()] }

// next takes the oldest message out.
func (b *inbound) next(h relay.Header) {
	b.messages = b.messages[h.Len():]
	b.delivered.Add(int64(relay.HeaderSize + h.Counted()))
}

func kindOf(h relay.Header) driver.Kind {
	if h.IsText() {
		return driver.KindText
	}
	return driver.KindBinary
}

// pull returns the oldest message, with its data in buf[:0] if buf is not nil.
func (b *inbound) pull(buf []byte) (m driver.Message, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h, ok, err := b.front()
	if !ok {
		return m, false, err
	}
	m.Kind = kindOf(h)
	if h.IsApart() {
		m.Data, err = b.pullApart(h, buf)
	} else {
		if buf == nil {
			buf = make([]byte, 0, h.Counted())
		}
		m.Data = append(buf[:0], b.data(h)...)
	}
	b.next(h)
	return m, err == nil, err
}

// pullApart returns the data of a message that the relay keeps apart; b.messages has
// only its header.
func (b *inbound) pullApart(h relay.Header, buf []byte) ([]byte, error) {
	bytes, err := b.relay.Apart(h.IsText())
	if err != nil {
		return nil, err
	}
	size, err := bytes.Length()
	if err != nil {
		return nil, err
	}
	if buf == nil || cap(buf) < size {
		buf = make([]byte, size)
	}
	_, err = jscall.CopyBytesToGo(buf[:size], bytes)
	b.relay.Free(bytes)
	return buf[:size], err
}

// look makes the next pull ask the relay if the wake-up may be late.
func (b *inbound) look() {
	if b.wakeup.mode() == relay.Late {
		b.armed.Store(false)
	}
}

// end marks the end of the messages.
func (b *inbound) end() {
	b.over.Store(true)
	b.wakeup.notify()
}

// drop ends delivery at once.
func (b *inbound) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped = true
	b.messages, b.memory = nil, nil
	b.wakeup.notify()
}

// await waits for a wake-up.
func (b *inbound) await(ctx context.Context) error {
	b.waiting.Store(true)
	defer b.waiting.Store(false)
	select {
	case <-b.wakeup.c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// woken handles a call of the relay; see [relay.New].
func (s *socket) woken(n int, warning bool) int {
	b := &s.in
	switch {
	case warning:
		delivered := int(b.delivered.Load())
		if b.waiting.Load() {
			delivered = n // a Receive is about to take them
		} else if n-delivered > b.limit {
			s.Fail(&errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: "receive buffer full"})
		}
		return delivered + b.limit
	case n >= 0:
		return int(b.awaken(relay.Header(n), 0))
	case n == -1:
		b.armed.Store(false)
		b.wakeup.notify()
		return int(relay.Never)
	}
	return int(b.awaken(0, -n))
}

// Receive waits for the next message.
func (s *socket) Receive(ctx context.Context, buf []byte) (driver.Message, error) {
	for {
		m, ok, err := s.pull(buf)
		if ok || err != nil {
			return m, err
		}
		if err := s.awaitMessage(ctx, "Receive", "call TryReceive, or call Receive on another goroutine"); err != nil {
			return driver.Message{}, err
		}
	}
}

// awaitMessage waits until there may be a message.
func (s *socket) awaitMessage(ctx context.Context, call, instead string) error {
	s.out.newTurn()
	if err := MayWait(call, instead); err != nil {
		s.in.look()
		return err
	}
	return s.in.await(ctx)
}

// TryReceive returns the next message if one has arrived.
func (s *socket) TryReceive(buf []byte) (driver.Message, bool, error) {
	m, ok, err := s.pull(buf)
	if ok || err != nil {
		return m, ok, err
	}
	s.spin.call()
	s.in.look()
	return s.pull(buf)
}

func (s *socket) pull(buf []byte) (driver.Message, bool, error) {
	m, ok, err := s.in.pull(buf)
	if err = s.checkPulled(int64(len(m.Data)), int64(s.config.MaxMessageSize), err); err != nil {
		return driver.Message{}, false, err
	}
	return m, ok, nil
}

// checkPulled ends the connection if a message could not be read, or is over its limit.
func (s *socket) checkPulled(size, limit int64, err error) error {
	var cause *errors.ConnectionClosed
	switch {
	case err == io.EOF:
		return err
	case err != nil:
		cause = &errors.ConnectionClosed{Reason: errors.InternalError, Message: "cannot read a message", Err: err}
	case limit > 0 && size > limit:
		cause = &errors.ConnectionClosed{
			Reason:  errors.MessageTooBig,
			Message: "message of " + strconv.FormatInt(size, 10) + " bytes: the limit is " + strconv.FormatInt(limit, 10) + " bytes",
		}
		err = io.EOF
	default:
		return nil
	}
	s.Fail(cause)
	s.in.drop()
	return err
}
