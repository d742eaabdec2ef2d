package rfc6455

import (
	"encoding/binary"
	"math/bits"
)

// Mask applies the masking key to b in place (RFC 6455, section 5.3) and returns the
// key for the byte after b, so that a payload can be masked piece by piece. The key
// is its four bytes read in little-endian order. Masking twice restores b.
func Mask(key uint32, b []byte) uint32 {
	return maskCopy(b, b, key)
}

// maskCopy is Mask of src into dst, which must be as long and either the very
// same bytes or disjoint.
func maskCopy(dst, src []byte, key uint32) uint32 {
	next := bits.RotateLeft32(key, -8*(len(src)&3))
	wide := uint64(key)<<32 | uint64(key)
	dst = dst[:len(src)]
	for len(src) >= 32 && len(dst) >= 32 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^wide)
		binary.LittleEndian.PutUint64(dst[8:], binary.LittleEndian.Uint64(src[8:])^wide)
		binary.LittleEndian.PutUint64(dst[16:], binary.LittleEndian.Uint64(src[16:])^wide)
		binary.LittleEndian.PutUint64(dst[24:], binary.LittleEndian.Uint64(src[24:])^wide)
		dst, src = dst[32:], src[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^wide)
		dst, src = dst[8:], src[8:]
	}
	for i := range src {
		dst[i] = src[i] ^ byte(wide)
		wide >>= 8
	}
	return next
}
