package rfc6455

import (
	"encoding/binary"
	"math/bits"
)

const (
	hashBits = 12
	minMatch = 4 // shorter ones seldom pay
	maxMatch = 258
)

// sequence is a run of literals and the match that follows it. A message is made of them.
type sequence struct {
	literals uint16
	length   uint16 // of the match, 0 for none: at the end of a chunk
	back     uint16 // distance of the match less 1
}

// matcher finds repetitions. It remembers where it last saw each hash of some bytes.
type matcher struct {
	// last holds positions, counted over all that was ever compressed, so that it needs no
	// clearing: what is out of reach is too far away.
	last [1 << hashBits]uint32
	base uint32 // position of src[0]
}

// renew must be called before each use. It sees to it that positions do not run out, and that the
// zeros of a new table are out of reach.
func (m *matcher) renew() {
	const first = 2 << maxWindowBits
	if m.base < first || m.base > 1<<31 {
		clear(m.last[:])
		m.base = first
	}
}

func hash(v uint64) uint32 {
	// Of five bytes: with four, too many matches are not worth their distance.
	return uint32((v << 24) * 0x9E3779B185EBCA87 >> (64 - hashBits))
}

// find appends to seqs the sequences that make up src[from:], at most maxChunk bytes. Matches begin
// at window bytes back at most, and in src.
func (m *matcher) find(seqs []sequence, src []byte, from, window int) []sequence {
	literal := from // where the current run begins
	s := from
	end := len(src) - 8 // the last position that 8 bytes can be loaded from
	base := m.base
	for s <= end {
		v := binary.LittleEndian.Uint64(src[s:])
		slot := &m.last[hash(v)]
		back := base + uint32(s) - *slot
		*slot = base + uint32(s)
		at := s - int(back)
		if back-1 >= uint32(window) || at < 0 || uint32(v) != binary.LittleEndian.Uint32(src[at:]) {
			// The longer nothing is found, the larger the steps.
			s += 1 + (s-literal)>>5
			continue
		}
		length := 4 + commonPrefix(src[s+4:min(s+maxMatch, len(src))], src[at+4:])
		for at > 0 && s > literal && length < maxMatch && src[at-1] == src[s-1] {
			at--
			s--
			length++
		}
		seqs = append(seqs, sequence{literals: uint16(s - literal), length: uint16(length), back: uint16(back - 1)})
		s += length
		literal = s
		if s-2 <= end {
			// The end of a match is where the next one may begin.
			v := binary.LittleEndian.Uint64(src[s-2:])
			m.last[hash(v)] = base + uint32(s-2)
		}
	}
	if literal < len(src) {
		seqs = append(seqs, sequence{literals: uint16(len(src) - literal)})
	}
	return seqs
}

// commonPrefix returns how many bytes a and the beginning of b have in common; b is not shorter
// than a.
func commonPrefix(a, b []byte) int {
	n := 0
	for len(a)-n >= 8 {
		if diff := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); diff != 0 {
			return n + bits.TrailingZeros64(diff)>>3
		}
		n += 8
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}
