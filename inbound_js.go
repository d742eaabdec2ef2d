package isosocket

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jsontext"
	"github.com/isosocket/isosocket/ws"
)

const (
	// defaultReceiveBuffer is ReceiveBuffer in a browser.
	defaultReceiveBuffer = 16 << 20
	// checkInterval is how often the size of what waits is looked at.
	checkInterval = time.Second / 4
	// maxBatch is how many messages are taken out of the queue at once, and
	// batchBytes about how many bytes of text.
	maxBatch   = 512
	batchBytes = 256 << 10
)

// inbound is the way in. The message listener is the push of a JavaScript
// array, so that the browser queues messages without Go. A second listener,
// which fires once, wakes Go for the first message behind what was taken.
type inbound struct {
	queue safejs.Value  // the MessageEvents that came
	push  safejs.Value  // the message listener
	wake  safejs.Func   // the other one
	woken chan struct{} // has room for one

	read      expression   // takes a batch, waits for the next message, returns the batch as JSON
	batchArgs safejs.Value // element 1 is how many messages the next read takes
	stringify safejs.Value
	fields    safejs.Value

	mu      sync.Mutex
	batch   []jsontext.Event // taken, and not delivered up from next
	next    int
	size    int // of the next batch at most
	binary  binaries
	pending bool // the queue is not empty
	over    bool // nothing more will be queued
	dropped bool // nothing more will be delivered

	checking    bool // a check is due
	checked     int  // how many in the queue were counted,
	checkedSize int  // and their bytes
}

func (b *inbound) init(s *socket) error {
	b.woken = make(chan struct{}, 1)
	b.size = maxBatch
	var js builtins
	b.queue = js.list()
	taken := js.list()
	b.push = js.method(b.queue, "push")
	js.call(s.js, "addEventListener", "message", b.push)
	b.stringify = js.get("JSON", "stringify")
	b.fields = js.list("data", "byteLength")
	b.batchArgs = js.list(0, b.size)
	if js.err == nil {
		b.wake, js.err = safejs.FuncOf(func(safejs.Value, []safejs.Value) any {
			b.arrived(s)
			return nil
		})
	}
	arm := js.expression(js.property(s.js, "addEventListener"), s.js, "message", b.wake, map[string]any{"once": true})
	// JSON.stringify(taken, fields), and in what it has no parameters for:
	// taken.splice(0), taken.push(...queue.splice(0, size)), and arm.
	splice := js.property(taken, "splice")
	b.read = js.expression(b.stringify, nil, taken, b.fields, nil,
		js.expression(splice, taken, 0),
		js.apply(js.property(taken, "push"), taken, js.apply(splice, b.queue, b.batchArgs)),
		arm)
	b.binary.init(&js, taken)
	if js.err == nil {
		_, js.err = arm.Invoke()
	}
	return js.err
}

// arrived takes note that the queue is no longer empty.
func (b *inbound) arrived(s *socket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = true
	b.checkLater(s)
	b.notify()
}

func (b *inbound) notify() {
	select {
	case b.woken <- struct{}{}:
	default:
	}
}

// checkLater sees to it that a queue which nobody empties is looked at. b.mu
// is held.
func (b *inbound) checkLater(s *socket) {
	if !b.checking && !b.dropped {
		b.checking = true
		time.AfterFunc(checkInterval, func() { b.check(s) })
	}
}

// check ends the connection if more than ReceiveBuffer waits. One message
// alone may be larger.
func (b *inbound) check(s *socket) {
	b.mu.Lock()
	b.checking = false
	if !b.pending || b.over || b.dropped {
		b.mu.Unlock()
		return
	}
	err := b.count()
	n, size := b.checked, b.checkedSize
	for _, e := range b.batch[b.next:] {
		n++
		size += len(e.Text) + e.Size
	}
	b.checkLater(s)
	b.mu.Unlock()
	limit := s.config.ReceiveBuffer
	if limit <= 0 {
		limit = defaultReceiveBuffer
	}
	switch {
	case err != nil:
		s.Fail(&errors.ConnectionClosed{Reason: errors.InternalError, Message: "cannot read messages", Err: err})
	case size > limit && n > 1:
		s.Fail(&errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: "receive buffer full"})
	}
}

// count brings checked and checkedSize up to date. b.mu is held.
func (b *inbound) count() error {
	uncounted, err := b.queue.Call("slice", b.checked)
	if err != nil {
		return err
	}
	text, err := b.stringify.Invoke(uncounted, b.fields)
	if err != nil {
		return err
	}
	json, err := text.String()
	if err != nil {
		return err
	}
	events, err := jsontext.AppendEvents(nil, json)
	for _, e := range events {
		b.checkedSize += len(e.Text) + e.Size
	}
	b.checked += len(events)
	return err
}

// take moves the oldest messages of the queue to b.batch, which is empty. b.mu
// is held.
func (b *inbound) take() error {
	text, err := b.read.Invoke()
	if err != nil {
		return err
	}
	json, err := text.String()
	if err != nil {
		return err
	}
	b.next = 0
	b.binary.reset()
	if b.batch, err = jsontext.AppendEvents(b.batch[:0], json); err != nil {
		return err
	}
	n := len(b.batch)
	if n < b.size {
		// The queue is empty, and stays so until JavaScript runs again.
		b.pending = false
		b.checked, b.checkedSize = 0, 0
	} else if b.checked > 0 {
		b.checked = max(0, b.checked-n)
		for _, e := range b.batch {
			b.checkedSize -= len(e.Text) + e.Size
		}
	}
	return b.resize(len(json) / max(1, n))
}

// resize chooses the next batch's size, so that large texts do not come in
// heaps. It changes by powers of two, which is seldom.
func (b *inbound) resize(average int) error {
	size := maxBatch
	for size > 1 && size*average > batchBytes {
		size /= 2
	}
	if size == b.size {
		return nil
	}
	b.size = size
	return b.batchArgs.SetIndex(1, size)
}

// pull returns the oldest message, with its data in buf[:0] if buf is not nil.
func (b *inbound) pull(buf []byte) (m ws.Message, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped {
		return m, false, io.EOF
	}
	if b.next == len(b.batch) && b.pending {
		if err := b.take(); err != nil {
			return m, false, err
		}
	}
	if b.next == len(b.batch) {
		if b.over {
			err = io.EOF
		}
		return m, false, err
	}
	e := &b.batch[b.next]
	if e.Binary {
		m.Kind = ws.KindBinary
		m.Data, err = b.binary.read(b.batch, b.next, buf)
	} else {
		if buf == nil {
			buf = make([]byte, 0, len(e.Text))
		}
		m.Kind = ws.KindText
		m.Data = jsontext.AppendUnescaped(buf[:0], e.Text)
	}
	e.Text = ""
	b.next++
	return m, err == nil, err
}

// end says that nothing more will be queued.
func (b *inbound) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	b.notify()
}

// refuse ends queueing at once.
func (b *inbound) refuse(s *socket) {
	_, _ = s.js.Call("removeEventListener", "message", b.push)
	b.end()
}

// drop ends delivery at once.
func (b *inbound) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped = true
	b.batch, b.next = nil, 0
	b.notify()
}

// release lets go of the listeners.
func (b *inbound) release(s *socket) {
	for _, listener := range []safejs.Value{b.push, b.wake.Value()} {
		if !listener.IsUndefined() {
			_, _ = s.js.Call("removeEventListener", "message", listener)
		}
	}
	if !b.wake.Value().IsUndefined() {
		b.wake.Release()
	}
}

// Receive waits for the next message.
func (s *socket) Receive(ctx context.Context, buf []byte) (ws.Message, error) {
	for {
		m, ok, err := s.pull(buf)
		if ok || err != nil {
			return m, err
		}
		s.out.newTurn()
		select {
		case <-s.in.woken:
		case <-ctx.Done():
			return ws.Message{}, ctx.Err()
		}
	}
}

// TryReceive returns the next message if one is queued.
func (s *socket) TryReceive(buf []byte) (ws.Message, bool, error) {
	m, ok, err := s.pull(buf)
	if ok || err != nil || !s.spin.turns() {
		return m, ok, err
	}
	return s.pull(buf)
}

func (s *socket) pull(buf []byte) (ws.Message, bool, error) {
	m, ok, err := s.in.pull(buf)
	if err != nil && err != io.EOF {
		s.Fail(&errors.ConnectionClosed{Reason: errors.InternalError, Message: "cannot read a message", Err: err})
		s.in.drop()
	}
	if limit := s.config.MaxMessageSize; ok && limit > 0 && len(m.Data) > limit {
		s.Fail(&errors.ConnectionClosed{
			Reason:  errors.MessageTooBig,
			Message: "message of " + strconv.Itoa(len(m.Data)) + " bytes is over the limit of " + strconv.Itoa(limit),
		})
		s.in.drop()
		return ws.Message{}, false, io.EOF
	}
	return m, ok, err
}

// spin notices a loop that asks for messages without ever letting JavaScript
// run: none would arrive. Every while it gives the event loop a turn.
type spin struct {
	empty int
	since time.Time
}

const (
	spinCalls = 128
	spinTime  = 50 * time.Millisecond
)

// turns is called for each empty-handed try, and reports whether JavaScript
// has run meanwhile.
func (s *spin) turns() bool {
	if s.empty++; s.empty < spinCalls {
		return false
	}
	// A program that tries once a frame, from a callback that may not wait, is
	// much slower than that.
	spins := time.Since(s.since) < spinTime
	if spins {
		time.Sleep(time.Millisecond)
	}
	s.empty, s.since = 0, time.Now()
	return spins
}
