package isosocket

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

const (
	// defaultReceiveBuffer is ReceiveBuffer in a browser.
	defaultReceiveBuffer = 16 << 20
	// batchSize is how many messages are taken from the queue at a time.
	batchSize = 512
	// queueCheckInterval is how often the queue is looked at while nobody
	// receives.
	queueCheckInterval = time.Second / 4
)

// inbound is the way in. The message listener is the bound push of a
// JavaScript array, so that the browser queues messages without Go. A second
// listener, which fires once, wakes Go for the first message behind a batch.
type inbound struct {
	wake      chan struct{} // has room for one
	onMessage safejs.Func
	push      safejs.Value
	splice    safejs.Value
	arm       func() error
	array     safejs.Value // the JavaScript global's Uint8Array

	mu      sync.Mutex
	batch   []safejs.Value // the data of messages taken from the queue
	pending bool           // the queue may hold something, and the wake listener has fired
	over    bool           // nothing more will be queued
	dropped bool           // nothing more will be received
	timer   bool           // the queue check is due
}

func (b *inbound) init(s *socket) error {
	b.wake = make(chan struct{}, 1)
	queue, err := safejs.ValueOf([]any{})
	if err != nil {
		return err
	}
	if b.array, err = safejs.Global().Get("Uint8Array"); err != nil {
		return err
	}
	if b.splice, err = bound(queue, "splice"); err != nil {
		return err
	}
	if b.push, err = bound(queue, "push"); err != nil {
		return err
	}
	if _, err = s.js.Call("addEventListener", "message", b.push); err != nil {
		return err
	}
	if b.onMessage, err = safejs.FuncOf(func(safejs.Value, []safejs.Value) any {
		b.arrived(s)
		return nil
	}); err != nil {
		return err
	}
	b.arm = func() error {
		_, err := s.js.Call("addEventListener", "message", b.onMessage, map[string]any{"once": true})
		return err
	}
	return b.arm()
}

// bound returns v's method with v as its this.
func bound(v safejs.Value, method string) (safejs.Value, error) {
	f, err := v.Get(method)
	if err != nil {
		return f, err
	}
	return f.Call("bind", v)
}

// arrived takes note that the queue is no longer empty.
func (b *inbound) arrived(s *socket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = true
	b.checkLater(s)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// checkLater sees to it that a queue that nobody empties is looked at. b.mu is
// held.
func (b *inbound) checkLater(s *socket) {
	if b.timer || b.dropped {
		return
	}
	b.timer = true
	time.AfterFunc(queueCheckInterval, func() { b.check(s) })
}

// check ends the connection if more than ReceiveBuffer waits.
func (b *inbound) check(s *socket) {
	limit := s.config.ReceiveBuffer
	if limit <= 0 {
		limit = defaultReceiveBuffer
	}
	b.mu.Lock()
	b.timer = false
	for b.pending && !b.dropped {
		if b.take() != nil {
			break
		}
	}
	size := 0
	for _, data := range b.batch {
		size += dataSize(data)
	}
	full := size > limit && len(b.batch) > 1
	b.mu.Unlock()
	if full {
		s.fail(&errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: "receive buffer full"})
	}
}

func dataSize(data safejs.Value) int {
	if data.Type() == safejs.TypeString {
		n, _ := data.Length()
		return n
	}
	v, err := data.Get("byteLength")
	if err != nil {
		return 0
	}
	n, _ := v.Int()
	return n
}

// take moves a batch out of the queue. b.mu is held.
func (b *inbound) take() error {
	events, err := b.splice.Invoke(0, batchSize)
	if err != nil {
		return err
	}
	n, err := events.Length()
	if err != nil {
		return err
	}
	if n < batchSize {
		// The queue is empty, and stays so until JavaScript runs again.
		b.pending = false
		if err := b.arm(); err != nil {
			return err
		}
	}
	for i := range n {
		event, err := events.Index(i)
		if err != nil {
			return err
		}
		data, err := event.Get("data")
		if err != nil {
			return err
		}
		b.batch = append(b.batch, data)
	}
	return nil
}

// pull returns the oldest message, copied to buf[:0] if buf is not nil.
func (b *inbound) pull(s *socket, buf []byte) (m ws.Message, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped {
		return m, false, io.EOF
	}
	if len(b.batch) == 0 && b.pending {
		if err := b.take(); err != nil {
			return m, false, err
		}
	}
	if len(b.batch) == 0 {
		if b.over {
			err = io.EOF
		}
		return m, false, err
	}
	data := b.batch[0]
	b.batch[0] = safejs.Value{}
	b.batch = b.batch[1:]
	m, err = b.message(data, buf)
	return m, err == nil, err
}

func (b *inbound) message(data safejs.Value, buf []byte) (ws.Message, error) {
	if data.Type() == safejs.TypeString {
		text, err := data.String()
		if err != nil {
			return ws.Message{}, err
		}
		return ws.Message{Kind: ws.KindText, Data: append(buf[:0], text...)}, nil
	}
	view, err := b.array.New(data)
	if err != nil {
		return ws.Message{}, err
	}
	n, err := view.Length()
	if err != nil {
		return ws.Message{}, err
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	_, err = safejs.CopyBytesToGo(buf, view)
	return ws.Message{Kind: ws.KindBinary, Data: buf}, err
}

// end says that nothing more will be queued.
func (b *inbound) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// drop ends receiving at once.
func (b *inbound) drop() {
	b.mu.Lock()
	b.dropped = true
	b.batch = nil
	b.mu.Unlock()
	b.end()
}

func (b *inbound) release(s *socket) {
	if !b.push.IsUndefined() {
		_, _ = s.js.Call("removeEventListener", "message", b.push)
	}
	if !b.onMessage.Value().IsUndefined() {
		_, _ = s.js.Call("removeEventListener", "message", b.onMessage)
		b.onMessage.Release()
	}
}

// Receive waits for the next message.
func (s *socket) Receive(ctx context.Context, buf []byte) (ws.Message, error) {
	for {
		m, ok, err := s.pull(buf)
		if ok || err != nil {
			return m, err
		}
		select {
		case <-s.in.wake:
		case <-ctx.Done():
			return ws.Message{}, ctx.Err()
		}
	}
}

// TryReceive returns the next message if one is queued.
func (s *socket) TryReceive(buf []byte) (ws.Message, bool, error) { return s.pull(buf) }

func (s *socket) pull(buf []byte) (ws.Message, bool, error) {
	m, ok, err := s.in.pull(s, buf)
	if limit := s.config.MaxMessageSize; ok && limit > 0 && len(m.Data) > limit {
		s.fail(&errors.ConnectionClosed{
			Reason:  errors.MessageTooBig,
			Message: "message of " + strconv.Itoa(len(m.Data)) + " bytes is over the limit of " + strconv.Itoa(limit),
		})
		return ws.Message{}, false, io.EOF
	}
	return m, ok, err
}
