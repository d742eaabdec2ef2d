package rfc6455

import "encoding/binary"

const (
	// maxHeader is the longest frame header: two bytes, an 8-byte length, a 4-byte masking key.
	maxHeader = 14
	// maxControl is the longest payload of a control frame (RFC 6455, section 5.5).
	maxControl = 125

	bitFin    = 0x80
	bitRSV1   = 0x40
	bitsRSV   = 0x70
	bitsRSV23 = 0x30
	bitMask   = 0x80
)

// AppendHeader appends a frame header (RFC 6455, section 5.2) to dst and returns the longer slice.
// The payload length, in bytes, takes the shortest form; one below zero counts as zero. With a mask
// the header carries that masking key, and the payload must then be masked with it, see [Mask].
func AppendHeader(dst []byte, fin, rsv1 bool, op Opcode, length int, mask *[4]byte) []byte {
	first, masked := byte(op&0x0F), byte(0)
	if fin {
		first |= bitFin
	}
	if rsv1 {
		first |= bitRSV1
	}
	if mask != nil {
		masked = bitMask
	}
	switch {
	case length <= 125:
		dst = append(dst, first, masked|byte(max(length, 0)))
	case length <= 0xFFFF:
		dst = append(dst, first, masked|126, byte(length>>8), byte(length))
	default:
		dst = append(dst, first, masked|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(length))
	}
	if mask != nil {
		dst = append(dst, mask[:]...)
	}
	return dst
}

// headerSize returns the number of bytes that AppendHeader appends.
func headerSize(length int, masked bool) int {
	size := 2
	if masked {
		size += 4
	}
	switch {
	case length <= 125:
		return size
	case length <= 0xFFFF:
		return size + 2
	}
	return size + 8
}
