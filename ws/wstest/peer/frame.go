package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// The opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

const (
	fin       = 0x80
	rsv1      = 0x40
	maskedBit = 0x80
)

// noStatus represents a close frame without a reason.
const noStatus = 1005

// maxFrame bounds the frames of a peer under test.
const maxFrame = 256 << 20

// header returns a frame's header. The first byte holds the FIN bit, the reserved bits and the
// opcode; n is the length of the payload.
func header(first byte, n int) []byte {
	switch {
	case n < 126:
		return []byte{first, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n))
	default:
		return binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n))
	}
}

// frame returns a whole unmasked frame, as servers send them.
func frame(first byte, payload []byte) []byte {
	return append(header(first, len(payload)), payload...)
}

// maskedFrame returns a whole masked frame, as clients send them.
func maskedFrame(first byte, payload []byte) []byte {
	key := [4]byte{1, 2, 3, 4}
	b := header(first, len(payload))
	b[1] |= maskedBit
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

// frame returns a whole frame of this side.
func (l *link) frame(first byte, payload []byte) []byte {
	if l.masks {
		return maskedFrame(first, payload)
	}
	return frame(first, payload)
}

// wronglyMasked returns a whole frame that is masked if this side must not mask, and the other way
// round.
func (l *link) wronglyMasked(first byte, payload []byte) []byte {
	if l.masks {
		return frame(first, payload)
	}
	return maskedFrame(first, payload)
}

// header returns the header of a frame of this side, after which the payload comes as it is: a
// masking key of zeros changes nothing.
func (l *link) header(first byte, n int) []byte {
	b := header(first, n)
	if l.masks {
		b[1] |= maskedBit
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

func closePayload(code int, message string) []byte {
	if code == noStatus {
		return nil
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), message...)
}

// received is a whole message or a control frame.
type received struct {
	op      byte
	payload []byte
}

// closing returns the reason and the message of a close frame.
func (m received) closing() (code int, message string) {
	if len(m.payload) < 2 {
		return noStatus, ""
	}
	return int(binary.BigEndian.Uint16(m.payload)), string(m.payload[2:])
}

// violation is a violation of the protocol by the side under test.
type violation string

func (v violation) Error() string { return "violation: " + string(v) }

// readFrame reads one frame, which must be masked, from a client, or not, from a server.
func readFrame(r *bufio.Reader, masked bool) (first byte, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] &^ maskedBit)
	switch n {
	case 126:
		var b [2]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, nil, unexpected(err)
		}
		if n = uint64(binary.BigEndian.Uint16(b[:])); n < 126 {
			return 0, nil, violation("a length that is not in its shortest form")
		}
	case 127:
		var b [8]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, nil, unexpected(err)
		}
		if n = binary.BigEndian.Uint64(b[:]); n < 1<<16 {
			return 0, nil, violation("a length that is not in its shortest form")
		}
	}
	if n > maxFrame {
		return 0, nil, violation(fmt.Sprintf("a frame of %d bytes", n))
	}
	switch {
	case masked && head[1]&maskedBit == 0:
		return 0, nil, violation("a frame that is not masked")
	case !masked && head[1]&maskedBit != 0:
		return 0, nil, violation("a frame that is masked")
	}
	var key [4]byte
	if masked {
		if _, err := io.ReadFull(r, key[:]); err != nil {
			return 0, nil, unexpected(err)
		}
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, unexpected(err)
	}
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0], payload, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// read returns the next message, assembled from its fragments, or the next control frame.
func (l *link) read() (received, error) {
	for {
		first, payload, err := readFrame(l.reader, !l.masks)
		if err != nil {
			return received{}, err
		}
		op := first & 0x0f
		switch {
		case first&0x70 != 0:
			return received{}, violation("a reserved bit")
		case op >= opClose:
			if first&fin == 0 || len(payload) > 125 {
				return received{}, violation("a control frame that is too long or fragmented")
			}
			return received{op, payload}, nil
		case op == opContinuation && l.partial == nil, op != opContinuation && l.partial != nil, op > opBinary:
			return received{}, violation(fmt.Sprintf("the opcode %#x here", op))
		case l.partial == nil:
			l.partial = &received{op, payload}
		default:
			l.partial.payload = append(l.partial.payload, payload...)
		}
		if first&fin == 0 {
			continue
		}
		m := *l.partial
		l.partial = nil
		if m.op == opText && !utf8.Valid(m.payload) {
			return received{}, violation("text that is not UTF-8")
		}
		return m, nil
	}
}
