package wire

import "encoding/binary"

// The opcodes of data frames (RFC 6455, section 11.8).
const (
	Text   = 1
	Binary = 2
)

const (
	finBit  = 0x80
	rsv1Bit = 0x40
	maskBit = 0x80
)

// maskingKey masks every client frame. A fixed key is enough for a load: the cost of unmasking
// does not depend on its value.
var maskingKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// AppendServerFrame appends an unmasked frame that is a whole message.
func AppendServerFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = appendHeader(dst, finBit|opcode, 0, len(payload))
	return append(dst, payload...)
}

// AppendClientFrame appends a masked frame that is a whole message. compressed sets the bit for
// compressed messages (RFC 7692, section 6).
func AppendClientFrame(dst []byte, opcode byte, compressed bool, payload []byte) []byte {
	first := finBit | opcode
	if compressed {
		first |= rsv1Bit
	}
	dst = appendHeader(dst, first, maskBit, len(payload))
	dst = append(dst, maskingKey[:]...)
	for i, b := range payload {
		dst = append(dst, b^maskingKey[i&3])
	}
	return dst
}

func appendHeader(dst []byte, first, mask byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, first, mask|byte(n))
	case n <= 0xffff:
		dst = append(dst, first, mask|126)
		return binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, first, mask|127)
		return binary.BigEndian.AppendUint64(dst, uint64(n))
	}
}

// ClientFrameSize returns how many bytes [AppendClientFrame] appends for a
// payload of n bytes.
func ClientFrameSize(n int) int {
	return len(appendHeader(make([]byte, 0, 14), 0, maskBit, n)) + len(maskingKey) + n
}
