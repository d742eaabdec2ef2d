package rfc6455

import "strconv"

// Opcode is the kind of a frame (RFC 6455, section 5.2).
type Opcode uint8

// The opcodes that RFC 6455 defines. Every other value is refused.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// IsControl reports whether op is in the range of control frames, 0x8 to 0xF.
func (op Opcode) IsControl() bool { return op&0x8 != 0 }

// String returns the name RFC 6455 gives op, or "opcode 0x3" for one it does not define.
func (op Opcode) String() string {
	switch op {
	case OpContinuation:
		return "continuation"
	case OpText:
		return "text"
	case OpBinary:
		return "binary"
	case OpClose:
		return "close"
	case OpPing:
		return "ping"
	case OpPong:
		return "pong"
	}
	return "opcode 0x" + strconv.FormatUint(uint64(op), 16)
}
