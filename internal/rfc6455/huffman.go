package rfc6455

import (
	"math/bits"
	"slices"
)

// codeWord is a Huffman code as it is written, its first bit lowest, shifted left by 8, over its
// length in bits.
type codeWord uint32

func (c codeWord) len() int     { return int(c & 0xFF) }
func (c codeWord) bits() uint64 { return uint64(c >> 8) }

// huffman builds canonical prefix codes (RFC 1951, section 3.2.2) of bounded length. It holds only
// room to work in.
type huffman struct {
	keys    [maxLitLen]uint32 // frequency and symbol of those that occur
	weights [maxLitLen]uint32
}

// lengths sets lens to the code lengths, of limit bits at most, that a minimal code gives to
// symbols with the frequencies freq, and returns how many symbols occur. A code of a single symbol
// has length 1.
func (h *huffman) lengths(lens []uint8, freq []uint32, limit int) int {
	clear(lens)
	keys := h.keys[:0]
	for symbol, n := range freq {
		if n > 0 {
			keys = append(keys, n<<9|uint32(symbol)) // n is 2^16 at most
		}
	}
	switch len(keys) {
	case 0:
		return 0
	case 1:
		lens[keys[0]&0x1FF] = 1
		return 1
	}
	slices.Sort(keys)

	// The minimum-redundancy code lengths in place, after Moffat and Katajainen: from weights in
	// ascending order to the parents of the inner nodes, to their depths, to the leaves' depths.
	n := len(keys)
	a := h.weights[:n]
	for i, k := range keys {
		a[i] = k >> 9
	}
	leaf, root := 2, 0
	a[0] += a[1]
	for next := 1; next < n-1; next++ {
		if leaf >= n || a[root] < a[leaf] {
			a[next] = a[root]
			a[root] = uint32(next)
			root++
		} else {
			a[next] = a[leaf]
			leaf++
		}
		if leaf >= n || (root < next && a[root] < a[leaf]) {
			a[next] += a[root]
			a[root] = uint32(next)
			root++
		} else {
			a[next] += a[leaf]
			leaf++
		}
	}
	a[n-2] = 0
	for next := n - 3; next >= 0; next-- {
		a[next] = a[a[next]] + 1
	}
	var count [maxLitLen]uint16 // symbols of each length
	free, used, depth := 1, 0, uint32(0)
	deepest := 0
	for node := n - 2; free > 0; depth++ {
		for node >= 0 && a[node] == depth {
			used++
			node--
		}
		if leaves := free - used; leaves > 0 {
			count[depth] = uint16(leaves)
			deepest = int(depth)
		}
		free, used = 2*used, 0
	}

	if deepest > limit {
		for i := limit + 1; i <= deepest; i++ {
			count[limit] += count[i]
			count[i] = 0
		}
		// Too many codes of the longest length now: lengthen a shorter one for each.
		total := 0
		for i := 1; i <= limit; i++ {
			total += int(count[i]) << (limit - i)
		}
		for ; total > 1<<limit; total-- {
			count[limit]--
			i := limit - 1
			for count[i] == 0 {
				i--
			}
			count[i]--
			count[i+1] += 2
		}
		deepest = limit
	}
	// The rarest symbols have the longest codes.
	i := 0
	for length := deepest; length > 0; length-- {
		for range count[length] {
			lens[keys[i]&0x1FF] = uint8(length)
			i++
		}
	}
	return n
}

// assign sets words to the canonical code of the lengths lens.
func assign(words []codeWord, lens []uint8) {
	var count [maxCodeBits + 1]uint16
	var next [maxCodeBits + 2]uint16
	for _, n := range lens {
		count[n]++
	}
	count[0] = 0
	for n := 1; n <= maxCodeBits; n++ {
		next[n+1] = (next[n] + count[n]) << 1
	}
	for symbol, n := range lens {
		if n == 0 {
			words[symbol] = 0
			continue
		}
		code := bits.Reverse16(next[n]) >> (16 - n)
		next[n]++
		words[symbol] = codeWord(code)<<8 | codeWord(n)
	}
}
