package rfc6455

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
)

// blockWriter writes blocks (RFC 1951, section 3.2.3) of the sequences that a matcher found. It
// keeps the bits that do not fill a byte yet; all else is room to work in.
type blockWriter struct {
	acc uint64 // bits that are not written, the first one lowest
	n   uint   // their number, under 8 between two calls

	seqs []sequence // of the current block

	litFreq  [maxLitLen]uint32
	distFreq [maxDist]uint32
	lit      [maxLitLen]codeWord
	dist     [maxDist]codeWord

	// The description of the two codes above: their lengths, run-length coded, and the code of
	// that.
	lens     [maxLitLen + maxDist]uint8
	runs     []run
	runFreq  [numCodeLens]uint32
	runLens  [numCodeLens]uint8
	runWords [numCodeLens]codeWord

	huffman huffman
}

// run is one symbol of the description of a code (RFC 1951, section 3.2.7) and the value of its
// extra bits.
type run struct{ symbol, extra uint8 }

// runExtra are the extra bits of the symbols 16 to 18.
var runExtra = [numCodeLens]uint8{16: 2, 17: 3, 18: 7}

var blockWriters = sync.Pool{New: func() any { return new(blockWriter) }}

func takeBlockWriter() *blockWriter {
	w := blockWriters.Get().(*blockWriter)
	w.acc, w.n = 0, 0
	return w
}

// fewLiterals is the number of literals up to which a block takes the fixed code. A code of its own
// saves two or three bits a literal, less some 50 bytes for its description, and takes several
// times as long to make, and to read.
const fewLiterals = 128

// words are the codes of a block.
type words struct {
	lit  [maxLitLen + 2]codeWord
	dist [32]codeWord
}

// fixedWords returns the fixed code (RFC 1951, section 3.2.6).
var fixedWords = sync.OnceValue(func() *words {
	w := new(words)
	lit, dist := fixedLens()
	assign(w.lit[:], lit[:])
	assign(w.dist[:], dist[:])
	return w
})

// lengthCode returns the symbol of a match length, less 257.
func lengthCode(length int) uint {
	if length == maxMatch {
		return 28
	}
	v := uint(length - 3)
	if v < 8 {
		return v
	}
	extra := uint(bits.Len(v)) - 3
	return extra<<2 + v>>extra
}

// distCode returns the symbol of a distance, which is given less 1.
func distCode(back uint) uint {
	if back < 4 {
		return back
	}
	extra := uint(bits.Len(back)) - 2
	return extra<<1 + back>>extra
}

// block appends a block of the bytes src, of which w.seqs are the sequences, to dst.
func (w *blockWriter) block(dst, src []byte) []byte {
	fixed := fixedWords()
	literals := 0
	for _, q := range w.seqs {
		literals += int(q.literals)
	}
	if literals <= fewLiterals {
		// A literal has 9 bits at most and a match 31.
		dst = slices.Grow(dst, 2*literals+4*len(w.seqs)+16)
		w.put(1<<1, 3)
		return w.symbols(dst, src, fixed.lit[:maxLitLen], fixed.dist[:maxDist])
	}

	extra := w.count(src)
	fixedBits := 3 + extra
	for i, n := range w.litFreq {
		fixedBits += int(n) * fixed.lit[i].len()
	}
	for _, n := range w.distFreq {
		fixedBits += int(n) * 5
	}
	lits, dists, runs, ownBits := w.describe()
	ownBits += extra
	switch storedBits := 3 + 7 + 32 + 8*len(src); {
	case storedBits <= min(fixedBits, ownBits):
		return w.stored(dst, src)
	case fixedBits <= ownBits:
		dst = slices.Grow(dst, fixedBits/8+16)
		w.put(1<<1, 3)
		return w.symbols(dst, src, fixed.lit[:maxLitLen], fixed.dist[:maxDist])
	}
	dst = slices.Grow(dst, ownBits/8+16)
	w.put(2<<1, 3)
	w.put(uint64(lits-257)|uint64(dists-1)<<5|uint64(runs-4)<<10, 14)
	dst = w.flush(dst)
	for _, symbol := range codeLenOrder[:runs] {
		w.put(uint64(w.runLens[symbol]), 3)
		dst = w.flush(dst)
	}
	assign(w.runWords[:], w.runLens[:])
	for _, r := range w.runs {
		c := w.runWords[r.symbol]
		w.put(c.bits(), uint(c.len()))
		w.put(uint64(r.extra), uint(runExtra[r.symbol]))
		dst = w.flush(dst)
	}
	assign(w.lit[:], w.lens[:maxLitLen])
	assign(w.dist[:], w.lens[maxLitLen:])
	return w.symbols(dst, src, w.lit[:], w.dist[:])
}

// count counts the symbols of the block and returns the sum of their extra bits.
func (w *blockWriter) count(src []byte) (extra int) {
	clear(w.litFreq[:])
	clear(w.distFreq[:])
	for _, q := range w.seqs {
		for _, b := range src[:q.literals] {
			w.litFreq[b]++
		}
		src = src[int(q.literals)+int(q.length):]
		if q.length > 0 {
			length, dist := lengthCode(int(q.length)), distCode(uint(q.back))
			w.litFreq[endOfBlock+1+length]++
			w.distFreq[dist]++
			extra += int(lengthExtra[length]) + int(distExtra[dist])
		}
	}
	w.litFreq[endOfBlock] = 1
	return extra
}

// describe makes codes for the counted symbols and the description of these codes: w.lens and
// w.runs. It returns how many symbols are described and the size in bits of the block without extra
// bits.
func (w *blockWriter) describe() (lits, dists, runs, size int) {
	litLens, distLens := w.lens[:maxLitLen], w.lens[maxLitLen:]
	w.huffman.lengths(litLens, w.litFreq[:], maxCodeBits)
	w.huffman.lengths(distLens, w.distFreq[:], maxCodeBits)
	for i, n := range w.litFreq {
		size += int(n) * int(litLens[i])
	}
	for i, n := range w.distFreq {
		size += int(n) * int(distLens[i])
	}
	lits, dists = maxLitLen, maxDist
	for litLens[lits-1] == 0 {
		lits--
	}
	for dists > 1 && distLens[dists-1] == 0 {
		dists--
	}

	// Runs may go on from one code to the other, but need not.
	w.runs = runLengths(runLengths(w.runs[:0], litLens[:lits]), distLens[:dists])
	clear(w.runFreq[:])
	for _, r := range w.runs {
		w.runFreq[r.symbol]++
		size += int(runExtra[r.symbol])
	}
	const limit = 7 // a length is written in 3 bits
	w.huffman.lengths(w.runLens[:], w.runFreq[:], limit)
	for i, n := range w.runFreq {
		size += int(n) * int(w.runLens[i])
	}
	runs = numCodeLens
	for runs > 4 && w.runLens[codeLenOrder[runs-1]] == 0 {
		runs--
	}
	return lits, dists, runs, size + 3 + 14 + 3*runs
}

// runLengths appends the run-length coding of lens to runs.
func runLengths(runs []run, lens []uint8) []run {
	for i := 0; i < len(lens); {
		value := lens[i]
		n := 1
		for i+n < len(lens) && lens[i+n] == value {
			n++
		}
		i += n
		if value == 0 {
			for n >= 11 {
				k := min(n, 138)
				runs = append(runs, run{18, uint8(k - 11)})
				n -= k
			}
			if n >= 3 {
				runs = append(runs, run{17, uint8(n - 3)})
				n = 0
			}
		} else {
			runs = append(runs, run{symbol: value})
			n--
			for n >= 3 {
				k := min(n, 6)
				runs = append(runs, run{16, uint8(k - 3)})
				n -= k
			}
		}
		for range n {
			runs = append(runs, run{symbol: value})
		}
	}
	return runs
}

// put adds bits to those that wait to be written; flush must follow before there are 64.
func (w *blockWriter) put(v uint64, n uint) {
	w.acc |= v << (w.n & 63)
	w.n += n
}

// flush writes whole bytes.
func (w *blockWriter) flush(dst []byte) []byte {
	for w.n >= 8 {
		dst = append(dst, byte(w.acc))
		w.acc >>= 8
		w.n -= 8
	}
	return dst
}

// stored appends a stored block, or more of them where src is too long for one.
func (w *blockWriter) stored(dst, src []byte) []byte {
	for {
		n := min(len(src), 0xFFFF)
		w.put(0, 3)
		dst = w.align(dst)
		dst = append(dst, byte(n), byte(n>>8), ^byte(n), ^byte(n>>8))
		dst = append(dst, src[:n]...)
		if src = src[n:]; len(src) == 0 {
			return dst
		}
	}
}

// align writes all bits and fills the last byte with zeros.
func (w *blockWriter) align(dst []byte) []byte {
	w.n = (w.n + 7) &^ 7
	return w.flush(dst)
}

// end appends the end of a message: the header of an empty stored block, of which the rest is cut
// (RFC 7692, section 7.2.1).
func (w *blockWriter) end(dst []byte) []byte {
	w.put(0, 3)
	return w.align(dst)
}

// symbols appends the symbols of the block and its end to dst, which must have room for them and 16
// bytes more.
func (w *blockWriter) symbols(dst, src []byte, lit, dist []codeWord) []byte {
	// Everything the loop changes lives in local variables, for the registers. Eight bytes are
	// written each time, and those that were not full are written again.
	acc, n := w.acc, w.n
	out, o := dst[:cap(dst)], len(dst)
	lit, dist = lit[:maxLitLen], dist[:maxDist]
	for _, q := range w.seqs {
		run := src[:q.literals]
		src = src[int(q.literals)+int(q.length):]
		for len(run) >= 3 { // 45 bits and the 7 that may wait
			a, b, c := lit[run[0]], lit[run[1]], lit[run[2]]
			run = run[3:]
			acc |= a.bits() << (n & 63)
			n += uint(a.len())
			acc |= b.bits() << (n & 63)
			n += uint(b.len())
			acc |= c.bits() << (n & 63)
			n += uint(c.len())
			binary.LittleEndian.PutUint64(out[o:], acc)
			o += int(n >> 3)
			acc >>= n & 56
			n &= 7
		}
		for _, b := range run {
			c := lit[b]
			acc |= c.bits() << (n & 63)
			n += uint(c.len())
		}
		binary.LittleEndian.PutUint64(out[o:], acc)
		o += int(n >> 3)
		acc >>= n & 56
		n &= 7
		if q.length == 0 {
			continue
		}
		length, back := lengthCode(int(q.length)), distCode(uint(q.back)) // 48 bits
		c := lit[endOfBlock+1+length]
		acc |= c.bits() << (n & 63)
		n += uint(c.len())
		acc |= uint64(q.length-lengthBase[length]) << (n & 63)
		n += uint(lengthExtra[length])
		c = dist[back]
		acc |= c.bits() << (n & 63)
		n += uint(c.len())
		acc |= uint64(q.back+1-distBase[back]) << (n & 63)
		n += uint(distExtra[back])
		binary.LittleEndian.PutUint64(out[o:], acc)
		o += int(n >> 3)
		acc >>= n & 56
		n &= 7
	}
	w.acc, w.n = acc, n
	dst = out[:o]
	w.put(lit[endOfBlock].bits(), uint(lit[endOfBlock].len()))
	return w.flush(dst)
}
