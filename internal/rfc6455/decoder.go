package rfc6455

import (
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"
)

const (
	// minDirect is the smallest remaining payload for which Direct returns memory. Less is
	// better read together with the data after it.
	minDirect = 4 << 10
	// growStep bounds the memory allocated for a message before any of it has arrived.
	growStep = 64 << 10
)

// DefaultMaxFragments is how many frames one message may have unless SetMaxFragments
// says otherwise: 100,000. To send as many empty ones costs a client 600 KB.
const DefaultMaxFragments = 100_000

// phase is what a Decoder expects next.
type phase uint8

const (
	inHeader phase = iota
	inControl
	inData
	closed // after the close frame: everything is discarded
)

// Decoder parses the bytes of one direction of a connection and returns events. The zero value
// is not usable; call Init. Only one goroutine at a time may use a Decoder.
type Decoder struct {
	// The message that is being received, or that Message will return.
	msg     []byte
	buf     []byte // the caller's, for the next message
	max     int64
	inflate *inflateState // nil unless permessage-deflate was negotiated; not nil for a compressed message
	parts   *parts        // nil while no message is taken in parts and its limit is no other
	err     *Error

	// The current frame.
	rest int64  // payload bytes that have not arrived
	key  uint32 // rotated to the next byte

	fragments    uint32 // frames of the current message that have begun
	maxFragments uint32

	checked    int // length of the prefix of msg that is known to be UTF-8
	phase      phase
	role       Role
	op         Opcode // of the current frame
	msgOp      Opcode // of the current message; OpContinuation: there is none
	doneOp     Opcode // of the message that Message will return
	fin        bool
	compressed bool // the current message
	owned      bool // msg is the decoder's own memory, not the caller's
	discard    bool // message data is not kept
	headLen    uint8
	head       [maxHeader]byte // a header that arrived in parts
	ctrl       []byte          // the last control frame's payload; on most connections small or empty
}

// Init makes d ready for a new connection on which this side plays role. Messages over
// maxMessage bytes, counted after inflating, fail with code 1009; zero or less means no limit.
// deflate holds the parameters agreed in the handshake, nil for no compression; it is not kept.
func (d *Decoder) Init(role Role, maxMessage int64, deflate *DeflateParams) {
	if maxMessage <= 0 || maxMessage > math.MaxInt-maxHeader {
		maxMessage = math.MaxInt - maxHeader
	}
	*d = Decoder{role: role, max: maxMessage, maxFragments: DefaultMaxFragments}
	if deflate != nil {
		d.inflate = newInflateState(role, deflate)
	}
}

// SetMaxFragments makes a message of more than n frames fail with code 1008. The size limit does
// not bound frames with small or empty payloads. 0 means DefaultMaxFragments, a negative number
// no limit. SetMaxFragments must be called before Decode.
func (d *Decoder) SetMaxFragments(n int) {
	switch {
	case n == 0:
		n = DefaultMaxFragments
	case n < 0 || n > math.MaxInt32:
		n = math.MaxInt32
	}
	d.maxFragments = uint32(n)
}

// Decode consumes bytes from the front of p and stops after the first event. It returns how many
// it consumed: all of them if the event is EventNone and the error nil. It may unmask in place,
// which changes the consumed bytes of p, but keeps no reference to p.
//
// An error is an *[Error]. The decoder then has failed, and every later call returns the same
// error.
func (d *Decoder) Decode(p []byte) (n int, ev Event, err error) {
	if d.err != nil {
		return 0, EventNone, d.err
	}
	if op, data, n := d.Small(p, d.buf); n > 0 {
		d.msg, d.doneOp, d.buf, d.compressed = data, op, nil, false
		return n, EventMessage, nil
	}
	if d.parts != nil && d.parts.large {
		return 0, EventLarge, nil
	}
	for {
		if d.phase == inHeader {
			size, failed := d.header(p[n:])
			if failed != nil {
				d.err = failed
				return n, EventNone, failed
			}
			if size == 0 {
				return len(p), EventNone, nil
			}
			n += size
			if d.parts != nil {
				if ev := d.begun(); ev != EventNone {
					return n, ev, nil
				}
			}
		}
		switch d.phase {
		case inData:
			taken, ev, failed := d.data(p[n:])
			n += taken
			if failed != nil {
				d.err = failed
				return n, EventNone, failed
			}
			if ev != EventNone || n == len(p) {
				return n, ev, nil
			}
		case inControl:
			chunk := p[n:]
			if int64(len(chunk)) > d.rest {
				chunk = chunk[:d.rest]
			}
			n += len(chunk)
			d.rest -= int64(len(chunk))
			kept := len(d.ctrl)
			d.ctrl = d.ctrl[:kept+len(chunk)]
			d.key = d.unmask(d.ctrl[kept:], chunk)
			if d.rest > 0 {
				return n, EventNone, nil
			}
			ev, failed := d.control()
			if failed != nil {
				d.err = failed
				return n, EventNone, failed
			}
			return n, ev, nil
		case closed:
			return len(p), EventNone, nil
		}
	}
}

// Small parses the common case: a whole message at the start of p, in one unfragmented frame of
// at most 125 bytes. It returns the message and the frame's size. The data is in buf[:0] if it
// fits, else in a new slice. In all other cases, and for errors, it returns a size of 0, and
// Decode must be used. Small is nearly twice as fast as Decode. It needs no SetBuffer.
func (d *Decoder) Small(p, buf []byte) (op Opcode, data []byte, size int) {
	if d.phase != inHeader || d.headLen > 0 || d.msgOp != OpContinuation || d.err != nil || len(p) < 2 {
		return 0, nil, 0
	}
	op = Opcode(p[0] &^ bitFin)
	if p[0] < bitFin || op != OpText && op != OpBinary {
		return 0, nil, 0
	}
	body, length := 2, int(p[1])
	if d.role == Server {
		body, length = 6, length^bitMask
	}
	size = body + length
	if length > maxControl || len(p) < size || int64(length) > d.max {
		return 0, nil, 0
	}
	if buf == nil || cap(buf) < length {
		buf = make([]byte, length)
	}
	data = buf[:length]
	if d.role == Server {
		maskCopy(data, p[body:size], binary.LittleEndian.Uint32(p[2:]))
	} else {
		copy(data, p[body:size])
	}
	if op == OpText && !utf8.Valid(data) {
		return 0, nil, 0
	}
	return op, data, size
}

// header parses one frame header, which begins with the bytes in d.head and continues in p. It
// returns how many bytes of p belong to the header, or 0 if the header is incomplete; all of p
// is then kept. The payload may be empty, so data or control must be called after it even
// without further bytes.
func (d *Decoder) header(p []byte) (int, *Error) {
	if d.headLen == 0 {
		size, failed := d.parse(p)
		if size == 0 && failed == nil {
			d.headLen = uint8(copy(d.head[:], p))
		}
		return size, failed
	}
	kept := int(d.headLen)
	filled := kept + copy(d.head[kept:], p)
	size, failed := d.parse(d.head[:filled])
	if size == 0 {
		d.headLen = uint8(filled)
		return 0, failed
	}
	d.headLen = 0
	return size - kept, failed
}

// parse parses the frame header at the start of b and returns its size, or 0 if b does not hold
// all of it.
func (d *Decoder) parse(b []byte) (size int, failed *Error) {
	if len(b) < 2 {
		return 0, nil
	}
	first, second := b[0], b[1]
	op, fin := Opcode(first&0x0F), first&bitFin != 0
	switch {
	case first&bitsRSV != 0:
		if failed := d.reserved(first, op); failed != nil {
			return 0, failed
		}
	case op > OpBinary && (op < OpClose || op > OpPong):
		return 0, failure(codeProtocolError, "reserved opcode 0x%x: allowed are 0x0 to 0x2 and 0x8 to 0xa", uint8(op))
	}
	if (second&bitMask != 0) != (d.role == Server) {
		if d.role == Server {
			return 0, failure(codeProtocolError, "unmasked frame: a client must mask every frame")
		}
		return 0, failure(codeProtocolError, "masked frame: a server must not mask")
	}

	size = 2
	length := uint64(second &^ bitMask)
	switch length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	body := size
	if d.role == Server {
		size += 4
	}
	if op.IsControl() {
		if !fin {
			return 0, failure(codeProtocolError, "fragmented %v frame: control frames must come whole", op)
		}
		if length > maxControl {
			return 0, failure(codeProtocolError, "%v frame with a payload of more than 125 bytes", op)
		}
	} else if (op == OpContinuation) == (d.msgOp == OpContinuation) {
		if op == OpContinuation {
			return 0, failure(codeProtocolError, "continuation frame without a message to continue")
		}
		return 0, failure(codeProtocolError, "%v frame inside a fragmented message: only continuation frames may follow", op)
	}
	if len(b) < size {
		return 0, nil
	}
	switch body {
	case 4:
		if length = uint64(binary.BigEndian.Uint16(b[2:])); length <= 125 {
			return 0, failure(codeProtocolError, "payload length %d in 16 bits: the shortest form is required", length)
		}
	case 10:
		if length = binary.BigEndian.Uint64(b[2:]); length <= 0xFFFF {
			return 0, failure(codeProtocolError, "payload length %d in 64 bits: the shortest form is required", length)
		}
		if length > math.MaxInt64 {
			return 0, failure(codeProtocolError, "payload length with its most significant bit set")
		}
	}
	if d.role == Server {
		d.key = binary.LittleEndian.Uint32(b[body:])
	}

	d.rest, d.op, d.fin = int64(length), op, fin
	if op.IsControl() {
		d.phase, d.ctrl = inControl, slices.Grow(d.ctrl[:0], int(length))
		return size, nil
	}
	if op != OpContinuation {
		d.begin(op, first&bitRSV1 != 0)
	}
	if !d.InParts() || length < smallFragment {
		d.fragments++
	}
	if d.fragments > d.maxFragments {
		return 0, failure(codePolicyViolation, "message of more than %d fragments, which is the limit", d.maxFragments)
	}
	if failed := d.limit(); failed != nil {
		return 0, failed
	}
	d.phase = inData
	return size, nil
}

// reserved returns the error of the reserved bits, of which at least one is set.
func (d *Decoder) reserved(first byte, op Opcode) *Error {
	switch {
	case first&bitsRSV23 != 0:
		return failure(codeProtocolError, "reserved bit RSV2 or RSV3 is set: no extension was negotiated that uses them")
	case d.inflate == nil:
		return failure(codeProtocolError, "reserved bit RSV1 is set: no extension was negotiated that uses it")
	case op != OpText && op != OpBinary:
		return failure(codeProtocolError, "reserved bit RSV1 on a %v frame: only the first frame of a compressed message has it", op)
	}
	return nil
}

// limit returns an error if the current frame makes its message exceed the limit.
func (d *Decoder) limit() *Error {
	if d.discard {
		return nil
	}
	most, have := d.max, int64(len(d.msg))
	if d.compressed {
		most, have = bound(d.max), int64(len(d.inflate.wire))
	}
	limit := d.max
	if p := d.parts; p != nil {
		inParts, came := p.limits(d.compressed)
		switch {
		case p.active:
			limit, most, have = p.limit, inParts, came
		case p.stop:
			limit, most = p.limit, inParts
		case p.kept && d.rest > most-have && d.rest <= inParts-have:
			p.large = true
			return nil
		}
	}
	if d.rest <= most-have {
		return nil
	}
	// have cannot be added to an announced length near 2^63.
	size := uint64(have) + uint64(d.rest)
	switch {
	case d.compressed:
		return failure(codeTooBig, "compressed message of at least %d bytes: the limit is %d bytes uncompressed", size, limit)
	case d.fin:
		return failure(codeTooBig, "message of %d bytes: the limit is %d bytes", size, limit)
	}
	return failure(codeTooBig, "message of at least %d bytes: the limit is %d bytes", size, limit)
}

// begin starts a message.
func (d *Decoder) begin(op Opcode, compressed bool) {
	d.msgOp, d.compressed, d.checked, d.fragments = op, compressed, 0, 0
	d.msg, d.owned = nil, false
	if !compressed && d.buf != nil {
		d.msg, d.buf = d.buf[:0], nil
	}
}

// unmask copies src to dst, unmasks it if the peer masks, and returns the key for the next
// bytes.
func (d *Decoder) unmask(dst, src []byte) uint32 {
	if d.role == Client {
		copy(dst, src)
		return 0
	}
	return maskCopy(dst[:len(src)], src, d.key)
}

// data consumes the part of the current data frame that is in p.
func (d *Decoder) data(p []byte) (taken int, ev Event, failed *Error) {
	chunk := p
	if int64(len(chunk)) > d.rest {
		chunk = chunk[:d.rest]
	}
	switch {
	case d.discard:
		d.rest -= int64(len(chunk))
		if d.rest > 0 {
			return len(chunk), EventNone, nil
		}
		if d.phase = inHeader; !d.fin {
			return len(chunk), EventNone, nil
		}
		d.finish()
		return len(chunk), EventMessage, nil
	case d.InParts():
		return d.partData(chunk)
	case d.compressed:
		if d.fin && len(d.inflate.wire) == 0 && int64(len(chunk)) == d.rest {
			// All of it is in p: inflate it directly from there.
			if d.role == Server {
				Mask(d.key, chunk)
			}
			d.rest, d.phase = 0, inHeader
			ev, failed = d.finishCompressed(chunk)
			return len(chunk), ev, failed
		}
		if len(chunk) > 0 {
			d.reserveWire(len(chunk))
			wire := &d.inflate.wire
			end := len(*wire)
			*wire = (*wire)[:end+len(chunk)]
			d.key = d.unmask((*wire)[end:], chunk)
		}
	case len(chunk) > 0:
		d.reserve(len(chunk))
		end := len(d.msg)
		d.msg = d.msg[:end+len(chunk)]
		d.key = d.unmask(d.msg[end:], chunk)
	}
	d.rest -= int64(len(chunk))
	ev, failed = d.received()
	return len(chunk), ev, failed
}

// received is called after payload bytes were added to the current message. It checks them, and
// ends the frame and the message if they are complete.
func (d *Decoder) received() (Event, *Error) {
	done := d.rest == 0 && d.fin
	if d.msgOp == OpText && !d.compressed {
		if done {
			if !utf8.Valid(d.msg[d.checked:]) {
				return EventNone, invalidText()
			}
		} else {
			n, ok := validPrefix(d.msg[d.checked:])
			if !ok {
				return EventNone, invalidText()
			}
			d.checked += n
		}
	}
	if d.rest > 0 {
		return EventNone, nil
	}
	d.phase = inHeader
	if !d.fin {
		return EventNone, nil
	}
	if d.compressed {
		ev, failed := d.finishCompressed(d.inflate.wire)
		if ev != EventLarge {
			d.releaseWire()
		}
		return ev, failed
	}
	if d.msg == nil {
		d.msg = []byte{}
	}
	d.finish()
	return EventMessage, nil
}

func invalidText() *Error {
	return failure(codeInvalidPayload, "text message is not valid UTF-8")
}

// finish ends the current message, for Message to return.
func (d *Decoder) finish() {
	d.doneOp, d.msgOp, d.buf = d.msgOp, OpContinuation, nil
}

// finishCompressed inflates the whole payload of the current message and ends it.
func (d *Decoder) finishCompressed(payload []byte) (Event, *Error) {
	msg, failed := d.inflate.message(d.buf, payload, int(d.max))
	if p := d.parts; failed != nil && failed.Code == codeTooBig && p != nil && p.kept {
		// As a message that is taken in parts it may be fine.
		if len(d.inflate.wire) == 0 {
			d.inflate.wire = append(takeBuffer(), payload...)
		}
		d.phase, p.large = inData, true
		return EventLarge, nil
	}
	if failed != nil {
		return EventNone, failed
	}
	if d.msgOp == OpText && !utf8.Valid(msg) {
		return EventNone, invalidText()
	}
	d.msg = msg
	d.finish()
	return EventMessage, nil
}

// control ends a control frame.
func (d *Decoder) control() (Event, *Error) {
	d.phase = inHeader
	switch d.op {
	case OpPing:
		return EventPing, nil
	case OpPong:
		return EventPong, nil
	}
	if failed := closeFailure(d.ctrl); failed != nil {
		return EventNone, failed
	}
	d.phase = closed
	d.drop()
	return EventClose, nil
}

// drop discards a message that will not be completed.
func (d *Decoder) drop() {
	d.endParts()
	d.msg, d.buf, d.msgOp = nil, nil, OpContinuation
	d.releaseWire()
}

// SetBuffer sets the memory for one message: the one that is being received, else the next one,
// is written to buf[:0] and may overwrite all of buf's capacity. The decoder owns buf until
// EventMessage, [Decoder.Detach] or the next SetBuffer; after EventMessage it must be set again.
// A message that does not fit is stored in a new slice.
//
// In the middle of a message, what has come of it moves to buf if it fits, and stays where it is
// otherwise.
func (d *Decoder) SetBuffer(buf []byte) {
	d.buf = buf
	if d.msgOp == OpContinuation || d.compressed || d.InParts() {
		return
	}
	d.buf = nil
	if cap(buf) == 0 || cap(buf) < len(d.msg) {
		if !d.owned {
			d.own()
		}
		return
	}
	moved := buf[:len(d.msg)]
	copy(moved, d.msg)
	d.msg, d.owned = moved, false
}

// Detach returns the buffer of the last SetBuffer to the caller. The received part of a message
// moves to the decoder's own memory, and nothing is lost.
func (d *Decoder) Detach() {
	d.buf = nil
	if d.msgOp != OpContinuation && !d.compressed && !d.owned && !d.InParts() {
		d.own()
	}
}

// own moves the current message to the decoder's own memory.
func (d *Decoder) own() {
	if len(d.msg) == 0 {
		d.msg = nil
	} else {
		d.msg = append([]byte(nil), d.msg...)
	}
	d.owned = true
}

// Message returns the message that EventMessage announced: OpText or OpBinary, and the data, not
// nil, in the buffer of SetBuffer or else in a new slice. The decoder keeps no reference; a
// second call returns no data.
func (d *Decoder) Message() (op Opcode, data []byte) {
	if d.msgOp != OpContinuation {
		return OpContinuation, nil
	}
	op, data = d.doneOp, d.msg
	d.msg, d.doneOp = nil, OpContinuation
	return op, data
}

// Compressed reports whether the last message that Decode or Advance returned was compressed.
func (d *Decoder) Compressed() bool { return d.compressed }

// Control returns the payload of the ping or pong that the last event announced. It is valid until
// the next Decode.
func (d *Decoder) Control() []byte { return d.ctrl }

// Close returns the code and the message of the close frame that EventClose announced; 1005 if
// it had no code (RFC 6455, section 7.1.5).
func (d *Decoder) Close() (code uint16, message string) {
	if d.phase != closed || len(d.ctrl) < 2 {
		return codeNoStatus, ""
	}
	return binary.BigEndian.Uint16(d.ctrl), string(d.ctrl[2:])
}

// Direct returns room where the next bytes of the current payload may be read, without a detour
// through a read buffer. It returns nil when no payload is being received or little of it, under 4
// KiB, is missing. The room is never longer than what is missing. It is valid until the next call
// of a method other than Idle; after reading n bytes into it, call Advance(n). Direct must be
// called only when Decode has consumed all that came before.
func (d *Decoder) Direct() []byte {
	if d.phase != inData || d.rest < minDirect || d.err != nil || d.discard {
		return nil
	}
	var room []byte
	if p := d.parts; p != nil && (p.active || p.large) {
		room = p.room[len(p.room):cap(p.room)]
		if p.large || p.pump != nil || len(room) < minDirect {
			return nil
		}
	} else if d.compressed {
		d.reserveWire(minDirect)
		wire := d.inflate.wire
		room = wire[len(wire):cap(wire)]
	} else {
		d.reserve(minDirect)
		room = d.msg[len(d.msg):cap(d.msg)]
	}
	if int64(len(room)) > d.rest {
		room = room[:d.rest]
	}
	return room
}

// Advance consumes the first n bytes of the memory that Direct returned, as Decode does, and
// returns EventMessage if they end a message. It fails like Decode. It panics if n is larger
// than that memory.
func (d *Decoder) Advance(n int) (Event, error) {
	if d.err != nil {
		return EventNone, d.err
	}
	if n == 0 {
		return EventNone, nil
	}
	if n < 0 || d.phase != inData || int64(n) > d.rest {
		panic("rfc6455: Advance beyond the room of Direct")
	}
	if p := d.parts; d.InParts() {
		end := len(p.room)
		p.room = p.room[:end+n]
		if d.role == Server {
			d.key = Mask(d.key, p.room[end:])
		}
		ev, failed := d.partCame(n)
		if failed != nil {
			d.err = failed
			return EventNone, failed
		}
		return ev, nil
	}
	payload := &d.msg
	if d.compressed {
		payload = &d.inflate.wire
	}
	end := len(*payload)
	*payload = (*payload)[:end+n]
	if d.role == Server {
		d.key = Mask(d.key, (*payload)[end:])
	}
	d.rest -= int64(n)
	ev, failed := d.received()
	if failed != nil {
		d.err = failed
		return EventNone, failed
	}
	return ev, nil
}

// Idle reports whether d is between two messages and two frames, with nothing partial in it.
func (d *Decoder) Idle() bool {
	return d.headLen == 0 && d.msgOp == OpContinuation && (d.phase == inHeader || d.phase == closed)
}

// Held returns how many bytes of memory d holds for its connection: the received part of a
// message, and the earlier messages to which the peer may refer.
func (d *Decoder) Held() int {
	n := 0
	if d.msgOp != OpContinuation {
		n = cap(d.msg)
	}
	if d.inflate != nil {
		n += cap(d.inflate.wire) + cap(d.inflate.window.b)
	}
	return n
}

// Release returns memory to the pools at the end of a connection. The Decoder must not be used
// afterwards, except to call Init again.
func (d *Decoder) Release() {
	d.drop()
	if d.inflate != nil {
		d.inflate.release()
		d.inflate = nil
	}
}

// reserve grows the memory of the current message by n bytes.
func (d *Decoder) reserve(n int) {
	if cap(d.msg)-len(d.msg) < n || d.msg == nil {
		d.msg, d.owned = d.grown(d.msg, n), true
	}
}

// reserveWire grows the memory of the current compressed payload by n bytes.
func (d *Decoder) reserveWire(n int) {
	s := d.inflate
	if s.wire == nil {
		s.wire = takeBuffer()
	}
	if cap(s.wire)-len(s.wire) < n {
		s.wire = d.grown(s.wire, n)
	}
}

// grown returns b with capacity for at least n more bytes. The new capacity is four times the
// received size, or that of the current frame if it is at most twice as much again, and not more
// than the message needs, if that is known.
func (d *Decoder) grown(b []byte, n int) []byte {
	end := len(b) + int(d.rest) // limit ensures that this does not overflow
	size := max(len(b)+n, min(end, max(4*len(b), growStep)))
	if len(b) > 0 && end <= 2*size {
		size = max(size, end)
	}
	if !d.fin {
		size = max(size, 2*len(b)) // there may be many small fragments
	}
	return append(make([]byte, 0, size), b...)
}

// releaseWire releases the memory of a kept compressed payload.
func (d *Decoder) releaseWire() {
	if d.inflate != nil && d.inflate.wire != nil {
		giveBuffer(d.inflate.wire)
		d.inflate.wire = nil
	}
}
