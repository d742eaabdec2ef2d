package rfc6455

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// Mask applies the masking key to b in place (RFC 6455, section 5.3) and returns the key for the
// byte after b, so that a payload can be masked piece by piece. The key is its four bytes read in
// little-endian order. Masking twice restores b.
func Mask(key uint32, b []byte) uint32 {
	return maskCopy(b, b, key)
}

const (
	// largeMask is the length from which repeating the key over a block and XORing block by block,
	// with the vector instructions of crypto/subtle, is faster than words of 8 bytes: by a fifth
	// there, by 1.7 from 64 KiB on.
	largeMask = 8 << 10
	maskBlock = 1 << 10
)

// maskCopy is Mask of src into dst, which must be as long and either the very same bytes or
// disjoint.
func maskCopy(dst, src []byte, key uint32) uint32 {
	next := bits.RotateLeft32(key, -8*(len(src)&3))
	wide := uint64(key)<<32 | uint64(key)
	dst = dst[:len(src)]
	if len(src) >= largeMask {
		n := maskLarge(dst, src, key)
		dst, src = dst[n:], src[n:]
	}
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

// maskLarge masks as many whole blocks of src as there are and returns their length, which leaves
// the key as it is.
func maskLarge(dst, src []byte, key uint32) int {
	var block [maskBlock]byte
	binary.LittleEndian.PutUint32(block[:], key)
	for n := 4; n < maskBlock; n *= 2 {
		copy(block[n:], block[:n])
	}
	n := 0
	for ; len(src)-n >= maskBlock; n += maskBlock {
		subtle.XORBytes(dst[n:n+maskBlock], src[n:n+maskBlock], block[:])
	}
	return n
}
