package rfc6455

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Encoder appends frames for one direction of a connection. The zero value has no source of
// masking keys: call Init. Only one goroutine at a time may use an Encoder.
type Encoder struct {
	keys    *rand.ChaCha8 // of a client's masking keys, nil for a server
	deflate *deflateState // nil unless permessage-deflate was negotiated
}

// Init makes e ready for a new connection on which this side plays role. deflate holds the
// parameters agreed in the handshake, nil for no compression, and policy says what to compress
// and how; neither is kept.
func (e *Encoder) Init(role Role, deflate *DeflateParams, policy DeflatePolicy) {
	*e = Encoder{}
	if role == Client {
		var seed [32]byte
		cryptorand.Read(seed[:]) // never fails
		e.keys = rand.NewChaCha8(seed)
	}
	if deflate != nil {
		e.deflate = newDeflateState(role, deflate, policy)
	}
}

// AppendMessage appends a message, OpText or OpBinary, as one frame to dst and returns the longer
// slice. payload is not changed and not kept; it must not share memory with dst's capacity. The
// text is not checked for UTF-8. The payload is compressed if [Encoder.Compresses] says so, unless
// that would not make it shorter and the compression has no context to keep. Another opcode is an
// error, and nothing is appended.
func (e *Encoder) AppendMessage(dst []byte, op Opcode, payload []byte) ([]byte, error) {
	if op != OpText && op != OpBinary {
		return dst, fmt.Errorf("rfc6455: AppendMessage of a %v frame: allowed are text and binary", op)
	}
	if e.deflate != nil && e.Compresses(len(payload)) {
		if longer, ok := e.appendCompressed(dst, op, payload); ok {
			return longer, nil
		}
	}
	return e.appendFrame(dst, op, payload), nil
}

// AppendUncompressed is [Encoder.AppendMessage] of a payload that is not compressed. It leaves the
// context of the compression as it was.
func (e *Encoder) AppendUncompressed(dst []byte, op Opcode, payload []byte) ([]byte, error) {
	if op != OpText && op != OpBinary {
		return dst, fmt.Errorf("rfc6455: AppendUncompressed of a %v frame: allowed are text and binary", op)
	}
	return e.appendFrame(dst, op, payload), nil
}

func (e *Encoder) appendFrame(dst []byte, op Opcode, payload []byte) []byte {
	if e.keys == nil {
		dst = AppendHeader(dst, true, false, op, len(payload), nil)
		return append(dst, payload...)
	}
	dst = slices.Grow(dst, maxHeader+len(payload))
	key := e.key()
	dst = AppendHeader(dst, true, false, op, len(payload), &key)
	end := len(dst)
	dst = dst[:end+len(payload)]
	maskCopy(dst[end:], payload, binary.LittleEndian.Uint32(key[:]))
	return dst
}

// appendCompressed appends payload as a compressed frame. It returns false if the payload should
// be sent uncompressed.
func (e *Encoder) appendCompressed(dst []byte, op Opcode, payload []byte) ([]byte, bool) {
	masked := e.keys != nil
	start := len(dst)
	// The header's size depends on the compressed size: guess it, and move the payload if the
	// guess was wrong.
	guess := headerSize(len(payload)/2, masked)
	dst = slices.Grow(dst, maxHeader+len(payload)/2)
	dst = dst[:start+guess]
	dst, ok := e.deflate.message(dst, payload)
	if !ok {
		return dst[:start], false
	}
	length := len(dst) - start - guess
	if size := headerSize(length, masked); size != guess {
		if size > guess {
			dst = slices.Grow(dst, size-guess)
		}
		dst = dst[:start+size+length]
		copy(dst[start+size:], dst[start+guess:start+guess+length])
	}
	if !masked {
		AppendHeader(dst[:start], true, true, op, length, nil)
		return dst, true
	}
	key := e.key()
	AppendHeader(dst[:start], true, true, op, length, &key)
	Mask(binary.LittleEndian.Uint32(key[:]), dst[len(dst)-length:])
	return dst, true
}

// AppendControl appends a control frame to dst and returns the longer slice. A payload beyond 125
// bytes is cut there (RFC 6455, section 5.5).
func (e *Encoder) AppendControl(dst []byte, op Opcode, payload []byte) []byte {
	return e.appendFrame(dst, op, payload[:min(len(payload), maxControl)])
}

// AppendClose appends a close frame to dst and returns the longer slice. The codes that are
// never sent, 1005, 1006 and 1015 (RFC 6455, section 7.4.1), and 0 give an empty payload. A
// message beyond 123 bytes is cut at the last whole rune, and bytes that are not UTF-8 are
// replaced by U+FFFD.
func (e *Encoder) AppendClose(dst []byte, code uint16, message string) []byte {
	switch code {
	case 0, codeNoStatus, 1006, 1015:
		return e.appendFrame(dst, OpClose, nil)
	}
	var payload [maxControl]byte
	binary.BigEndian.PutUint16(payload[:], code)
	n := copy(payload[2:], closeMessage(message))
	return e.appendFrame(dst, OpClose, payload[:2+n])
}

// Compresses reports whether AppendMessage would try to compress a message of n bytes.
func (e *Encoder) Compresses(n int) bool {
	return e.deflate != nil && n >= e.deflate.threshold
}

// ResetContext makes the next message independent of earlier ones. It must be called when a
// compressed frame that this Encoder did not make, such as one made once for many connections,
// was sent on its connection: the peer's window then differs from this side's. Without context
// takeover it does nothing.
func (e *Encoder) ResetContext() {
	if e.deflate != nil {
		e.deflate.resetContext()
	}
}

// Holds reports whether e holds a compressor, 800 KiB to 1.2 MiB, for the next message. It does
// after it compressed a message with context takeover.
func (e *Encoder) Holds() bool { return e.deflate != nil && e.deflate.context != nil }

// Held returns approximately how many bytes of memory e holds for the next message.
func (e *Encoder) Held() int {
	if e.deflate == nil {
		return 0
	}
	n := cap(e.deflate.window.b)
	if e.Holds() {
		n += deflaterSize
	}
	return n
}

// Rest returns e's compressor to the pool, for other connections. It keeps the last 16 KiB of
// the messages, or less with a smaller window, for the next message to refer to. That message
// takes longer, by the time to compress those 16 KiB. Call Rest if no message is expected soon.
func (e *Encoder) Rest() {
	if e.deflate != nil {
		e.deflate.rest()
	}
}

// Release returns memory to the pools at the end of a connection. The Encoder must not be used
// afterwards, except to call Init again.
func (e *Encoder) Release() {
	if e.deflate != nil {
		e.deflate.release()
	}
	*e = Encoder{}
}

// key draws a masking key (RFC 6455, section 5.3).
func (e *Encoder) key() (key [4]byte) {
	binary.LittleEndian.PutUint32(key[:], uint32(e.keys.Uint64()))
	return key
}
