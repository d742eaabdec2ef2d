//go:build js

package browsersocket

import (
	"context"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/internal/jsontext"
	"github.com/isosocket/isosocket/ws"
)

const (
	// maxBatch is how many messages are taken out of the queue at once.
	maxBatch = 512
	// inboundScratch is the size of the array through which bytes come.
	inboundScratch = 64 << 10
)

// inbound is the way in. The message listener is the push of a JavaScript
// array, so that the browser queues messages without Go, which is woken for
// the first one behind what was taken. Taking costs two calls a batch: all
// text, and the sizes of binary messages, come as one piece of JSON.
type inbound struct {
	queue     jscall.Value // the MessageEvents that came
	push      jscall.Value // the message listener
	taken     jscall.Value // those of the last batch
	stringify jscall.Value
	fields    jscall.Value // what JSON.stringify tells of them
	scratch   jscall.Value
	take      expression   // takes a batch, arms the wake-up, puts JSON in scratch, returns its length
	takeArgs  jscall.Value // element 1 is how many messages are taken
	takeData  expression   // takes one message's data itself; made when it is needed first, like
	encode    jscall.Value // what makes UTF-8 of a large text,
	large     jscall.Value // which waits here
	taking    [3]any       // what taking consists of

	mu      sync.Mutex
	wakeup  wakeup
	json    []byte
	batch   []jsontext.Event // taken, and not delivered up from next
	next    int
	size    int // of the next batch at most
	binary  binaries
	backlog backlog
	dropped bool // nothing more will be delivered

	// The callbacks touch these, without the lock.
	waiting atomic.Bool // in Receive
	pending atomic.Bool // the queue may not be empty
	over    atomic.Bool // nothing more will be queued
}

func (b *inbound) init(js *builtins, s *socket) {
	b.size = maxBatch
	b.queue, b.taken = js.list(), js.list()
	b.push = js.method(b.queue, "push")
	js.call(s.js, "addEventListener", "message", b.push)
	arm := b.wakeup.init(js, s.js, func() { b.arrived(s) })
	b.stringify = js.get("JSON", "stringify")
	b.fields = js.list("data", "byteLength")
	// taken.splice(0), taken.push(...queue.splice(0, size)), and arm
	splice := js.property(b.taken, "splice")
	b.takeArgs = js.list(0, b.size)
	clear := js.expression(splice, b.taken, 0)
	fill := js.apply(js.property(b.taken, "push"), b.taken, js.apply(splice, b.queue, b.takeArgs))
	b.taking = [...]any{clear, fill, arm}
	// new TextEncoder().encodeInto(JSON.stringify(taken, fields), scratch).written,
	// where the former are evaluated as arguments that stringify has no use for
	json := js.expression(b.stringify, nil, b.taken, b.fields, nil, clear, fill, arm)
	encoder := js.new("TextEncoder")
	b.scratch = js.new("Uint8Array", inboundScratch)
	b.take = js.expression(js.get("Reflect", "get"), nil,
		js.expression(js.property(encoder, "encodeInto"), encoder, json, b.scratch), "written")
	b.binary.taken, b.binary.scratch = b.taken, b.scratch
	js.call(arm.Value, "call", nil)
}

// arrived takes note that the queue is no longer empty.
func (b *inbound) arrived(s *socket) {
	b.pending.Store(true)
	if !b.waiting.Load() {
		b.checkLater(s)
	}
	b.wakeup.notify()
}

// refill takes the oldest messages out of the queue. b.mu is held, as below.
func (b *inbound) refill(s *socket) error {
	b.next = 0
	b.binary.reset()
	refill := b.refillMany
	if b.size == 1 {
		refill = b.refillOne
	}
	b.pending.Store(false) // unless the wake-up, which is armed now, finds otherwise
	size, err := refill()
	if err != nil {
		return err
	}
	more := len(b.batch) == b.size
	if more {
		b.pending.Store(true)
		b.checkLater(s)
	}
	b.backlog.taken(b.batch, more)
	if err := b.wakeup.adapt(len(b.batch)); err != nil {
		return err
	}
	return b.resize(size / max(1, len(b.batch)))
}

// refillMany returns the size of the batch's JSON.
func (b *inbound) refillMany() (int, error) {
	written, err := b.take.Invoke()
	if err != nil {
		return 0, err
	}
	size, err := written.Int()
	if err != nil {
		return 0, err
	}
	if size <= inboundScratch-utf8.UTFMax {
		if cap(b.json) < size {
			b.json = make([]byte, size+size/2)
		}
		b.json = b.json[:size]
		_, err = jscall.CopyBytesToGo(b.json, b.scratch)
	} else { // there was no room for the whole
		b.json, err = b.text(b.stringify.Invoke(b.taken, b.fields))
	}
	if err == nil {
		b.batch, err = jsontext.AppendEvents(b.batch[:0], b.json)
	}
	return len(b.json), err
}

// initOne makes what refillOne needs.
func (b *inbound) initOne(js *builtins) {
	// Object(taken[0]).data, behind what Reflect.get has no use for
	get := js.get("Reflect", "get")
	first := js.expression(get, nil, b.taken, "0", b.taken, b.taking[0], b.taking[1], b.taking[2])
	b.takeData = js.expression(get, nil, js.expression(js.get("Object"), nil, first), "data")
	b.encode = js.method(js.new("TextEncoder"), "encode")
}

// refillOne takes one message, which is probably a large text, without JSON.
func (b *inbound) refillOne() (size int, err error) {
	b.json, b.batch = nil, b.batch[:0]
	var js builtins
	if b.encode.IsUndefined() {
		b.initOne(&js)
	}
	data := js.invoke(b.takeData.Value)
	switch {
	case js.err != nil || data.IsUndefined():
		return 0, js.err
	case data.Type() == jscall.TypeString:
		b.large = js.invoke(b.encode, data)
		size = js.int(js.property(b.large, "length"))
		b.batch = append(b.batch, jsontext.Event{Size: size})
	default:
		b.batch = append(b.batch, jsontext.Event{Size: js.int(js.property(data, "byteLength")), Binary: true})
	}
	return size, js.err
}

func (b *inbound) text(v jscall.Value, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	text, err := v.String()
	return []byte(text), err
}

// resize chooses the next batch's size so that its JSON fits scratch. It
// changes by powers of two, which is seldom.
func (b *inbound) resize(average int) error {
	size := maxBatch
	for size > 1 && size*average > inboundScratch {
		size /= 2
	}
	if size == b.size {
		return nil
	}
	b.size = size
	return b.takeArgs.SetIndex(1, size)
}

// pull returns the oldest message, with its data in buf[:0] if buf is not nil.
func (b *inbound) pull(s *socket, buf []byte) (m ws.Message, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped {
		return m, false, io.EOF
	}
	if b.next == len(b.batch) && b.pending.Load() {
		if err := b.refill(s); err != nil {
			return m, false, err
		}
	}
	if b.next == len(b.batch) {
		if b.over.Load() {
			err = io.EOF
		}
		return m, false, err
	}
	switch e := &b.batch[b.next]; {
	case e.Binary:
		m.Kind = ws.KindBinary
		m.Data, err = b.binary.read(b.batch, b.next, buf)
	case b.json == nil:
		m.Kind = ws.KindText
		m.Data, err = copyBytes(buf, b.large, e.Size)
		b.large = jscall.Undefined()
	default:
		if buf == nil {
			buf = make([]byte, 0, len(e.Text))
		}
		m.Kind = ws.KindText
		m.Data = jsontext.AppendUnescaped(buf[:0], e.Text)
	}
	b.next++
	return m, err == nil, err
}

// look asks the queue itself, where the wake-up may be late.
func (b *inbound) look() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending.Load() || b.dropped || !b.wakeup.late {
		return nil
	}
	n, err := b.queue.Length()
	if n > 0 {
		b.pending.Store(true)
	}
	return err
}

// end says that nothing more will be queued.
func (b *inbound) end() {
	b.pending.Store(true)
	b.over.Store(true)
	b.wakeup.notify()
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
	b.batch, b.json, b.next, b.large = nil, nil, 0, jscall.Undefined()
	b.wakeup.notify()
}

// release lets go of the listeners.
func (b *inbound) release(socket jscall.Value) {
	if !b.push.IsUndefined() {
		_, _ = socket.Call("removeEventListener", "message", b.push)
	}
	b.wakeup.release(socket)
}

// await waits for a wake-up. A receiver that gives up leaves a queue behind
// that somebody has to look at.
func (b *inbound) await(ctx context.Context, s *socket) error {
	b.waiting.Store(true)
	defer b.waiting.Store(false)
	select {
	case <-b.wakeup.c:
		return nil
	case <-ctx.Done():
		if b.pending.Load() {
			b.checkLater(s)
		}
		return ctx.Err()
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
		if err := s.in.await(ctx, s); err != nil {
			return ws.Message{}, err
		}
	}
}

// TryReceive returns the next message if one is queued.
func (s *socket) TryReceive(buf []byte) (ws.Message, bool, error) {
	m, ok, err := s.pull(buf)
	if ok || err != nil {
		return m, ok, err
	}
	s.spin.call()
	if err := s.in.look(); err != nil {
		return m, false, err
	}
	return s.pull(buf)
}

func (s *socket) pull(buf []byte) (ws.Message, bool, error) {
	m, ok, err := s.in.pull(s, buf)
	if err != nil && err != io.EOF {
		s.Fail(&errors.ConnectionClosed{Reason: errors.InternalError, Message: "cannot read a message", Err: err})
		s.in.drop()
	}
	if limit := s.config.MaxMessageSize; ok && limit > 0 && len(m.Data) > limit {
		s.Fail(&errors.ConnectionClosed{
			Reason:  errors.MessageTooBig,
			Message: "message of " + strconv.Itoa(len(m.Data)) + " bytes: the limit is " + strconv.Itoa(limit) + " bytes",
		})
		s.in.drop()
		return ws.Message{}, false, io.EOF
	}
	return m, ok, err
}
