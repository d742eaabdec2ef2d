package rfc6455

import (
	"io"
	"iter"
	"math"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
)

const (
	// partWire is how much compressed payload is held for a message that is received in parts.
	partWire = smallBuffer
	// smallFragment is the payload size below which a frame of a message that is received in parts
	// counts as a fragment.
	smallFragment = 1 << 10
)

// parts is the state of a Decoder for a message that is received in parts.
type parts struct {
	limit  int64 // the most bytes of data
	active bool  // the current message is received in parts
	taker  any   // the argument of TakeParts for it
	stop   bool  // stop at the beginning of the next message
	large  bool  // the current message exceeds the limit of whole messages, and is not received in parts yet
	kept   bool  // the limit differs from that of whole messages

	room  []byte // the caller's memory, to be filled to its capacity
	total int64  // received bytes of data
	wire  int64  // received bytes of compressed payload
	text  textCheck
	pump  *pump // inflates; nil if not compressed
}

// SetMaxParts sets the limit, in bytes of data, for a message that is received in parts, if it is
// above the limit of Init. Zero or less means no limit. A message between the two limits then makes
// Decode stop with EventLarge. It is for a Decoder that has not decoded anything since Init.
func (d *Decoder) SetMaxParts(limit int64) {
	if limit <= 0 || limit > math.MaxInt-maxHeader {
		limit = math.MaxInt - maxHeader
	}
	if limit > d.max {
		d.parts = &parts{limit: limit, kept: true}
	}
}

// Announce sets whether Decode stops with EventBegin at the beginning of the next message, unless
// that message arrives whole in one small frame.
func (d *Decoder) Announce(on bool) {
	if d.parts == nil {
		d.parts = &parts{limit: d.max}
	}
	d.parts.stop = on
	d.spare()
}

// spare releases memory that is not needed between messages.
func (d *Decoder) spare() {
	if p := d.parts; !p.kept && !p.active && !p.stop {
		d.parts = nil
	}
}

// Begun reports whether a message has begun and is not whole.
func (d *Decoder) Begun() bool { return d.msgOp != OpContinuation }

// InParts reports whether the current message is received in parts.
func (d *Decoder) InParts() bool { return d.parts != nil && d.parts.active }

// Taker returns the argument of TakeParts for the current message, nil if it is not received in
// parts.
func (d *Decoder) Taker() any {
	if d.parts == nil {
		return nil
	}
	return d.parts.taker
}

// TakeParts makes the Decoder deliver the current message in parts: [Decoder.Part] passes the
// memory for each part. It returns the opcode and the data received so far, which belongs to the
// caller. Taker returns taker until the end of the message.
func (d *Decoder) TakeParts(taker any) (op Opcode, data []byte) {
	if d.parts == nil {
		d.parts = &parts{limit: d.max}
	}
	p := d.parts
	*p = parts{limit: p.limit, kept: p.kept, active: true, taker: taker}
	if d.compressed {
		p.pump = d.inflate.pump(d.phase == inData && d.rest == 0 && d.fin)
		p.wire = int64(len(d.inflate.wire))
		d.inflate.wire = nil
	} else {
		data = d.msg
		p.total = int64(len(data))
		p.text.add(data[min(d.checked, len(data)):])
	}
	d.msg, d.buf, d.owned, d.checked = nil, nil, false, 0
	return d.msgOp, data
}

// Part passes the memory for the next part of the message. Part itself fills it with data that the
// Decoder holds, and Decode and Advance continue. They stop with EventPart when it is full, and
// with EventMessage at the end of the message.
func (d *Decoder) Part(room []byte) (Event, error) {
	if d.err != nil {
		return EventNone, d.err
	}
	p := d.parts
	p.room = room[:0:len(room)]
	if p.pump == nil {
		return EventNone, nil
	}
	ev, failed := d.inflatePart()
	if failed != nil {
		d.err = failed
		return EventNone, failed
	}
	return ev, nil
}

// Filled returns how many bytes of the memory of the last Part are filled. For text
// they are valid UTF-8, except for an incomplete rune at the end.
func (d *Decoder) Filled() int {
	if d.parts == nil {
		return 0
	}
	return len(d.parts.room)
}

// DropRoom makes the Decoder forget the memory of the last Part.
func (d *Decoder) DropRoom() {
	if d.parts != nil {
		d.parts.room = nil
		d.spare()
	}
}

// Refuse fails the message that EventLarge announced, as without SetMaxParts.
func (d *Decoder) Refuse() error {
	if d.err == nil {
		d.err = failure(codeTooBig, "message of more than %d bytes, which is the limit", d.max)
		if d.compressed {
			d.err = failure(codeTooBig, "compressed message of more than %d bytes, which is the limit", d.max)
		} else if have := uint64(len(d.msg)) + uint64(d.rest); d.fin {
			d.err = failure(codeTooBig, "message of %d bytes: the limit is %d bytes", have, d.max)
		} else {
			d.err = failure(codeTooBig, "message of at least %d bytes: the limit is %d bytes", have, d.max)
		}
	}
	return d.err
}

// Discard makes the Decoder drop the data of all messages from now on, unchecked. It still finds
// control frames.
func (d *Decoder) Discard() {
	d.discard = true
	d.endParts()
	if d.parts != nil {
		d.parts.large, d.parts.stop = false, false
	}
	d.msg, d.buf = nil, nil
	d.releaseWire()
}

// begun returns the event for the header of a data frame, if there is one.
func (d *Decoder) begun() Event {
	p := d.parts
	switch {
	case d.phase != inData || d.discard:
	case p.stop:
		p.stop, p.large = false, false
		return EventBegin
	case p.large:
		return EventLarge
	}
	return EventNone
}

// limits returns the size limit of the current message, and how much of it was received.
func (p *parts) limits(compressed bool) (max, have int64) {
	if compressed {
		return bound(p.limit), p.wire
	}
	return p.limit, p.total
}

// bound is the largest compressed size of a message of max bytes, with a margin for a sender that
// flushes often.
func bound(max int64) int64 {
	if max < math.MaxInt/2 {
		max += max/8 + 64
	}
	return max
}

// partData handles data of a message that is received in parts.
func (d *Decoder) partData(chunk []byte) (taken int, ev Event, failed *Error) {
	p := d.parts
	if p.pump != nil {
		for {
			n := p.pump.space(len(chunk) - taken)
			part := p.pump.add(n)
			d.key = d.unmask(part, chunk[taken:taken+n])
			taken += n
			p.wire += int64(n)
			if d.rest -= int64(n); d.rest == 0 && d.fin {
				p.pump.last = true
			}
			if ev, failed = d.inflatePart(); failed != nil || ev != EventNone {
				return taken, ev, failed
			}
			if taken == len(chunk) {
				break
			}
		}
		if d.rest == 0 {
			d.phase = inHeader
		}
		return taken, EventNone, nil
	}
	end := len(p.room)
	n := min(len(chunk), cap(p.room)-end)
	p.room = p.room[:end+n]
	d.key = d.unmask(p.room[end:], chunk[:n])
	ev, failed = d.partCame(n)
	return n, ev, failed
}

// partCame is called after n more bytes were stored in the memory of the part.
func (d *Decoder) partCame(n int) (Event, *Error) {
	p := d.parts
	d.rest -= int64(n)
	p.total += int64(n)
	if d.msgOp == OpText && !p.text.add(p.room[len(p.room)-n:]) {
		return EventNone, invalidText()
	}
	if d.rest == 0 {
		d.phase = inHeader
		if d.fin {
			return d.partsDone()
		}
	}
	if len(p.room) == cap(p.room) && (d.rest > 0 || len(p.room) > 0) {
		return EventPart, nil
	}
	return EventNone, nil
}

func (d *Decoder) partsDone() (Event, *Error) {
	if d.msgOp == OpText && d.parts.text.n > 0 {
		return EventNone, invalidText()
	}
	d.endParts()
	d.finish()
	d.phase = inHeader
	return EventMessage, nil
}

// endParts ends the delivery in parts. It keeps the memory of the last part for Filled.
func (d *Decoder) endParts() {
	p := d.parts
	if p == nil || !p.active {
		return
	}
	if p.pump != nil {
		p.pump.end()
		p.pump = nil
	}
	p.active, p.taker = false, nil
}

// inflatePart inflates received payload into the memory of the part.
func (d *Decoder) inflatePart() (Event, *Error) {
	p := d.parts
	end := len(p.room)
	var came state
	var err error
	p.room, came, err = p.pump.run(p.room)
	fresh := p.room[end:]
	p.total += int64(len(fresh))
	switch {
	case p.total > p.limit:
		return EventNone, failure(codeTooBig, "compressed message of more than %d bytes, which is the limit", p.limit)
	case err != nil:
		return EventNone, notDeflate(err)
	case d.msgOp == OpText && !p.text.add(fresh):
		return EventNone, invalidText()
	}
	switch came {
	case isDone:
		return d.partsDone()
	case isFull:
		return EventPart, nil
	}
	return EventNone, nil
}

func notDeflate(err error) *Error {
	if err == io.ErrUnexpectedEOF {
		return failure(codeInvalidPayload, "compressed message ends in the middle of a block")
	}
	return failure(codeInvalidPayload, "compressed message is not valid deflate data: %v", err)
}

// state is why a pump stopped.
type state uint8

const (
	isHungry state = iota // it needs more payload
	isFull                // the memory of the part is full
	isDone                // the message is whole
)

// pump inflates a payload that arrives in pieces into memory that is passed in pieces. The inflater
// cannot stop in the middle of a block, so it runs as a coroutine.
type pump struct {
	wire   []byte // payload that is held
	read   int    // wire[:read] was inflated
	last   bool   // there is no more payload
	any    bool   // some payload was received
	tail   int    // how many bytes of tail were read
	window *window
	f      *inflater
	room   []byte
	next   func() (state, bool)
	stop   func()
	yield  func(state) bool
	err    error
}

// errStopped ends the coroutine of a pump that is not needed any more.
var errStopped = io.ErrClosedPipe

// pump returns a pump for the current message.
func (s *inflateState) pump(whole bool) *pump {
	u := &pump{wire: s.wire, any: len(s.wire) > 0, last: whole, window: &s.window}
	if !s.takeover {
		u.window = &window{size: 1 << maxWindowBits}
	}
	u.next, u.stop = iter.Pull(u.inflate)
	return u
}

// space returns how many of n bytes of payload can be held.
func (u *pump) space(n int) int {
	if u.read == len(u.wire) {
		u.wire, u.read = u.wire[:0], 0
		if cap(u.wire) > largeBuffer {
			u.wire = nil
		}
	}
	if u.wire == nil {
		u.wire = takeBuffer()
	}
	return min(n, max(partWire-len(u.wire), 0))
}

// add returns the memory for n more bytes, which space has allowed.
func (u *pump) add(n int) []byte {
	end := len(u.wire)
	u.wire = u.wire[:end+n]
	u.any = u.any || n > 0
	return u.wire[end:]
}

// run inflates until it is done, hungry, or room is full, and returns room with the new data.
func (u *pump) run(room []byte) ([]byte, state, error) {
	if len(room) == cap(room) {
		return room, isFull, nil
	}
	u.room = room
	came, ok := u.next()
	room, u.room = u.room, nil
	if !ok {
		return room, isDone, u.err
	}
	return room, came, nil
}

// end releases the memory.
func (u *pump) end() {
	u.stop()
	if u.wire != nil {
		giveBuffer(u.wire)
		u.wire = nil
	}
}

// inflate is the coroutine.
func (u *pump) inflate(yield func(state) bool) {
	u.yield = yield
	if !u.await() || !u.any {
		return // the sender cut off too much of an empty message
	}
	u.f = inflaters.Get().(*inflater)
	defer inflaters.Put(u.f)
	u.reset()
	for {
		// Not Read, which would keep using room while the pump is hungry.
		if _, err := u.f.reader.(io.WriterTo).WriteTo(u); err != nil {
			u.err = err
			return
		}
		// A final block does not end a message (RFC 7692, section 7.2.3.4).
		if !u.await() || u.read == len(u.wire) {
			return
		}
		u.reset()
	}
}

// Write stores inflated data in the memory of the part.
func (u *pump) Write(b []byte) (int, error) {
	u.window.add(b)
	n := 0
	for {
		if len(u.room) == cap(u.room) && !u.yield(isFull) {
			return n, errStopped
		}
		end := len(u.room)
		m := copy(u.room[end:cap(u.room)], b[n:])
		u.room = u.room[:end+m]
		if n += m; n == len(b) {
			return n, nil
		}
	}
}

func (u *pump) reset() {
	var before []byte
	before, u.f.window = u.window.linear(u.f.window)
	u.f.reader.(flate.Resetter).Reset(u, before)
}

// await waits until there is payload, or the end of the payload. It reports false if the pump has
// ended.
func (u *pump) await() bool {
	for u.read == len(u.wire) && !u.last {
		if !u.yield(isHungry) {
			return false
		}
	}
	return true
}

// Read implements io.Reader for the inflater.
func (u *pump) Read(b []byte) (int, error) {
	if !u.await() {
		return 0, errStopped
	}
	if u.read < len(u.wire) {
		n := copy(b, u.wire[u.read:])
		u.read += n
		return n, nil
	}
	if u.tail == len(tail) {
		return 0, io.EOF
	}
	n := copy(b, tail[u.tail:])
	u.tail += n
	return n, nil
}

// ReadByte lets the inflater read no more bytes than it needs.
func (u *pump) ReadByte() (byte, error) {
	if u.read < len(u.wire) {
		u.read++
		return u.wire[u.read-1], nil
	}
	var b [1]byte
	if _, err := u.Read(b[:]); err != nil {
		return 0, err
	}
	return b[0], nil
}

// textCheck checks UTF-8 that arrives in parts.
type textCheck struct {
	rune [utf8.UTFMax]byte
	n    int // bytes of rune, the beginning of an incomplete one
}

// add reports whether b can follow the text before it.
func (c *textCheck) add(b []byte) bool {
	for c.n > 0 && len(b) > 0 {
		c.rune[c.n] = b[0]
		c.n++
		b = b[1:]
		if utf8.FullRune(c.rune[:c.n]) {
			if r, size := utf8.DecodeRune(c.rune[:c.n]); r == utf8.RuneError && size == 1 {
				return false
			}
			c.n = 0
		}
	}
	n, ok := validPrefix(b)
	if c.n == 0 {
		c.n = copy(c.rune[:], b[n:])
	}
	return ok
}
