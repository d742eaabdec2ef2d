package rfc6455

import (
	"math/bits"
	"sync"
)

// The alphabets of deflate (RFC 1951, section 3.2).
const (
	maxLitLen   = 286 // literals, end of block and lengths
	maxDist     = 30  // distances
	numCodeLens = 19
	maxCodeBits = 15
	endOfBlock  = 256
)

// A decoding table has one entry for each value of the next root bits, and behind those further
// tables for longer codes. The sizes are the greatest that any complete code of the alphabet needs.
const (
	litRoot  = 9
	distRoot = 8
	litSize  = 852
	distSize = 402
)

// An entry of a decoding table holds, from the low bits up: 6 bits of code length, 2 flags, 5 bits
// of extra bits (or of the further table's root), 3 flags, and 16 bits of value: the literal, the
// base of a length or distance, or where the further table begins.
const (
	entryLenMask    = 0x3F
	entryNone       = 1 << 6 // no code, or one without a meaning; comes with special and end
	entryExtraShift = 8
	entryExtraMask  = 0x1F
	entrySpecial    = 1 << 13 // not a literal
	entryTable      = 1 << 14 // a further table
	entryEnd        = 1 << 15 // end of block
	entryValueShift = 16
	entryInvalid    = entryNone | entrySpecial | entryEnd
)

// The meaning of the codes 257 to 285 and of the distance codes (RFC 1951, section 3.2.5).
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// codeLenOrder is the order in which the lengths of the code length codes come (RFC 1951, section
// 3.2.7).
var codeLenOrder = [numCodeLens]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// litLenEntry returns the entry of a literal, end of block or length, without the code length.
func litLenEntry(symbol int) uint32 {
	switch {
	case symbol < endOfBlock:
		return uint32(symbol) << entryValueShift
	case symbol == endOfBlock:
		return entrySpecial | entryEnd
	case symbol >= maxLitLen: // 286 and 287 have codes in the fixed code, and no meaning
		return entryInvalid
	}
	i := symbol - endOfBlock - 1
	return uint32(lengthBase[i])<<entryValueShift | uint32(lengthExtra[i])<<entryExtraShift | entrySpecial
}

func distEntry(symbol int) uint32 {
	if symbol >= maxDist {
		return entryInvalid
	}
	return uint32(distBase[symbol])<<entryValueShift | uint32(distExtra[symbol])<<entryExtraShift | entrySpecial
}

func symbolEntry(symbol int) uint32 { return uint32(symbol) << entryValueShift }

// makeTable fills table for the canonical code whose lengths are given (RFC 1951, section 3.2.2).
// It returns false for lengths that are no code: over-subscribed, or incomplete with more than one
// symbol of length 1. A code without symbols is all entryInvalid.
func makeTable(table []uint32, root uint, lens []uint8, entry func(symbol int) uint32) bool {
	var count, next [maxCodeBits + 1]uint16
	for _, n := range lens {
		count[n]++
	}
	longest := uint(maxCodeBits)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	if longest <= 1 {
		for i := range table[:1<<root] {
			table[i] = entryInvalid
		}
		if longest == 0 {
			return true
		}
	}
	room, first := 1, uint16(0) // room is the number of codes of this length that are free
	for n := uint(1); n <= longest; n++ {
		next[n] = first
		first += count[n]
		if room = room<<1 - int(count[n]); room < 0 {
			return false
		}
	}
	if room > 0 && longest > 1 {
		return false
	}
	var sorted [maxLitLen + 2]uint16
	for symbol, n := range lens {
		if n != 0 {
			sorted[next[n]] = uint16(symbol)
			next[n]++
		}
	}

	used := 1 << root // entries that are taken
	sub, subBits, prefix := 0, 0, -1
	code, i := uint32(0), 0
	for n := uint(1); n <= longest; n++ {
		for left := count[n]; left > 0; left-- {
			e := entry(int(sorted[i])) | uint32(n)
			i++
			// Codes are packed with their first bit lowest.
			at := int(bits.Reverse16(uint16(code)) >> (16 - n))
			if n <= root {
				for j := at; j < 1<<root; j += 1 << n {
					table[j] = e
				}
			} else {
				if at&(1<<root-1) != prefix {
					prefix = at & (1<<root - 1)
					// Large enough for the codes that share the prefix: those that are left of each
					// length, until the prefix is used up.
					subBits = int(n - root)
					free := 1<<subBits - int(left)
					for m := n; free > 0 && m < longest; subBits++ {
						m++
						free = free<<1 - int(count[m])
					}
					sub = used
					used += 1 << subBits
					if used > len(table) {
						return false
					}
					table[prefix] = uint32(sub)<<entryValueShift | uint32(subBits)<<entryExtraShift | entryTable | uint32(root)
				}
				for j := at >> root; j < 1<<subBits; j += 1 << (n - root) {
					table[sub+j] = e
				}
			}
			code++
		}
		code <<= 1
	}
	return true
}

// fixedLens returns the lengths of the fixed code (RFC 1951, section 3.2.6).
func fixedLens() (lit [maxLitLen + 2]uint8, dist [32]uint8) {
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	for i := range dist {
		dist[i] = 5
	}
	return lit, dist
}

// codes are the two decoding tables of a block.
type codes struct {
	lit  [litSize]uint32
	dist [distSize]uint32
}

// fixedCodes returns the tables of the fixed code (RFC 1951, section 3.2.6).
var fixedCodes = sync.OnceValue(func() *codes {
	c := new(codes)
	lit, dist := fixedLens()
	makeTable(c.lit[:], litRoot, lit[:], litLenEntry)
	makeTable(c.dist[:], distRoot, dist[:], distEntry)
	return c
})

// readCodes reads the codes of a dynamic block (RFC 1951, section 3.2.7).
func (f *inflater) readCodes() *Error {
	f.fill()
	lits, dists, codeLens := int(f.take(5))+257, int(f.take(5))+1, int(f.take(4))+4
	if lits > maxLitLen || dists > maxDist {
		return corrupt("a code with too many symbols")
	}
	var lens [numCodeLens]uint8
	for _, symbol := range codeLenOrder[:codeLens] {
		f.fill()
		lens[symbol] = uint8(f.take(3))
	}
	// The table of the code lengths is done with before that of the distances is made.
	const root = 7
	if !makeTable(f.dist[:1<<root], root, lens[:], symbolEntry) {
		return corrupt("code lengths that are no code")
	}
	total := lits + dists
	for i := 0; i < total; {
		if f.n < 14 {
			if f.beyond > f.n {
				return cutOff()
			}
			f.fill()
		}
		e := f.dist[f.acc&(1<<root-1)]
		if e&entryEnd != 0 {
			return corrupt("a code that stands for nothing")
		}
		f.take(uint(e & entryLenMask))
		symbol := e >> entryValueShift
		if symbol < 16 {
			f.lens[i] = uint8(symbol)
			i++
			continue
		}
		var value uint8
		var repeat int
		switch symbol {
		case 16:
			if i == 0 {
				return corrupt("a repeated code length without one before it")
			}
			value, repeat = f.lens[i-1], 3+int(f.take(2))
		case 17:
			repeat = 3 + int(f.take(3))
		default:
			repeat = 11 + int(f.take(7))
		}
		if repeat > total-i {
			return corrupt("more code lengths than symbols")
		}
		for range repeat {
			f.lens[i] = value
			i++
		}
	}
	if f.left() < 0 {
		return cutOff()
	}
	if f.lens[endOfBlock] == 0 {
		return corrupt("a block that cannot end")
	}
	if !makeTable(f.lit[:], litRoot, f.lens[:lits], litLenEntry) || !makeTable(f.dist[:], distRoot, f.lens[lits:total], distEntry) {
		return corrupt("code lengths that are no code")
	}
	return nil
}
