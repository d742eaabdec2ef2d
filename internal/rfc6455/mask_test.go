package rfc6455

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// plainMask is the masking of RFC 6455, section 5.3, to the letter.
func plainMask(key [4]byte, at int, b []byte) {
	for i := range b {
		b[i] ^= key[(at+i)%4]
	}
}

func TestMask(t *testing.T) {
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	for _, size := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 63, 64, 65, 1000, maskBlock, largeMask - 1, largeMask, largeMask + 1, largeMask + maskBlock + 5, 100_003} {
		for offset := range 9 { // alignments
			b := noise(size+offset, uint64(size))[offset:]
			want := bytes.Clone(b)
			plainMask(key, 0, want)
			dst := make([]byte, size)
			next := maskCopy(dst, b, binary.LittleEndian.Uint32(key[:]))
			if !bytes.Equal(dst, want) {
				t.Fatalf("%d bytes are copied otherwise than by the plain masking", size)
			}
			if inPlace := Mask(binary.LittleEndian.Uint32(key[:]), b); !bytes.Equal(b, want) || inPlace != next {
				t.Fatalf("%d bytes in place are masked otherwise than by the plain masking", size)
			}
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add(uint32(0x12345678), []byte("Hello, world"), uint16(3), uint16(7))
	f.Add(uint32(0), []byte{}, uint16(0), uint16(0))
	f.Add(uint32(0xFFFFFFFF), noise(20_000, 8), uint16(9000), uint16(9001))
	f.Fuzz(func(t *testing.T, key uint32, b []byte, cut, other uint16) {
		want := bytes.Clone(b)
		var bytesOfKey [4]byte
		binary.LittleEndian.PutUint32(bytesOfKey[:], key)
		plainMask(bytesOfKey, 0, want)
		i := min(int(cut), len(b))
		k := i + min(int(other), len(b)-i)
		next := Mask(Mask(Mask(key, b[:i]), b[i:k]), b[k:])
		if !bytes.Equal(b, want) {
			t.Fatalf("in three pieces %x, plainly %x", b, want)
		}
		for back := range 4 { // the key goes on where it stopped
			if byte(next>>(8*back)) != bytesOfKey[(len(b)+back)%4] {
				t.Fatalf("after %d bytes the key %08x is %08x", len(b), key, next)
			}
		}
	})
}
