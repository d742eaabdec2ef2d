package rfc6455

import (
	"encoding/binary"
	"sync"
)

// A compressed message lies in memory as a whole before it is inflated, straight into the buffer it
// is delivered in. That makes a reader of its own worthwhile: it needs no window but the one of the
// messages before, stops at the size limit to the byte, and has no state to keep but the code
// tables, which a pool holds.

// inflateState inflates the messages of one direction of a connection.
type inflateState struct {
	takeover bool
	window   window
}

func newInflateState(role Role, params *DeflateParams) *inflateState {
	bits, takeover := params.sending(1 - role)
	return &inflateState{takeover: takeover, window: window{size: 1 << bits}}
}

// message inflates payload to buf[:0] where it fits, else to a slice of its own. More than limit
// bytes are an error.
func (s *inflateState) message(buf, payload []byte, limit int) ([]byte, *Error) {
	f := inflaters.Get().(*inflater)
	f.in, f.window, f.limit = payload, &s.window, limit
	f.pos, f.acc, f.n, f.beyond = 0, 0, 0, 0
	f.out, f.o, f.scratch = buf[:min(cap(buf), limit)], 0, nil
	failed := f.inflate()
	out := f.out[:f.o]
	if failed != nil {
		out = nil
	} else if f.scratch != nil {
		// A large message stays where it is: another copy costs more than the memory.
		if f.o <= largeBuffer {
			out = append(make([]byte, 0, f.o), out...)
			giveBuffer(f.scratch)
		}
	} else if out == nil {
		out = []byte{}
	}
	f.in, f.out, f.window, f.scratch = nil, nil, nil, nil
	inflaters.Put(f)
	if s.takeover && failed == nil {
		s.window.add(out)
	}
	return out, failed
}

func (s *inflateState) release() { s.window.ring = nil }

// inflater inflates one message at a time.
type inflater struct {
	in      []byte
	pos     int    // of the next byte of in
	acc     uint64 // bits that were taken from in and not used, the next one lowest
	n       uint   // number of bits in acc
	beyond  uint   // how many of them are zeros from beyond the end of in
	out     []byte // to its capacity or the limit
	o       int    // bytes of out that are written
	limit   int
	scratch []byte // what out is cut from, if that is not the caller's buffer
	window  *window

	lit  [litSize]uint32
	dist [distSize]uint32
	lens [maxLitLen + maxDist]uint8
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// inflate reads blocks until in ends at the end of one.
//
// The sender has cut the four bytes 00 00 ff ff of the empty stored block that ends every message
// (RFC 7692, section 7.2.1), so that a stored block that in has no length for is the end. A final
// block does not end a message (section 7.2.3.4): what follows it begins at the next byte.
func (f *inflater) inflate() *Error {
	for {
		f.fill()
		if left := f.left(); left < 3 {
			if f.acc&(1<<left-1) != 0 {
				return cutOff()
			}
			return nil
		}
		final, kind := f.take(1) == 1, f.take(2)
		switch kind {
		case 0:
			if end, failed := f.stored(); end || failed != nil {
				return failed
			}
		case 1:
			fixed := fixedCodes()
			if failed := f.coded(&fixed.lit, &fixed.dist); failed != nil {
				return failed
			}
		case 2:
			if failed := f.readCodes(); failed != nil {
				return failed
			}
			if failed := f.coded(&f.lit, &f.dist); failed != nil {
				return failed
			}
		default:
			return corrupt("a block of the reserved kind 3")
		}
		if final {
			f.align()
		}
	}
}

func corrupt(what string) *Error {
	return failure(codeInvalidPayload, "compressed message is not valid deflate data: %s", what)
}

func cutOff() *Error { return corrupt("it ends in the middle of a block") }

// fill takes bytes from in until acc holds at least 56 bits, some of them from beyond the end where
// there are no more.
func (f *inflater) fill() {
	for f.n < 56 {
		if f.pos < len(f.in) {
			f.acc |= uint64(f.in[f.pos]) << f.n
			f.pos++
		} else {
			f.beyond += 8
		}
		f.n += 8
	}
}

// take removes the next bits, 32 at most, from acc. It may give zeros from beyond the end; left
// then is below zero.
func (f *inflater) take(count uint) uint32 {
	v := uint32(f.acc & (1<<count - 1))
	f.acc >>= count
	f.n -= count
	return v
}

// left returns the number of bits of in that are not used.
func (f *inflater) left() int {
	return int(f.n) - int(f.beyond) + 8*(len(f.in)-f.pos)
}

// align skips to the next byte and puts whole bytes of acc back.
func (f *inflater) align() {
	f.take(f.n % 8)
	back := (f.n - min(f.n, f.beyond)) / 8
	f.pos -= int(back)
	f.acc, f.n, f.beyond = 0, 0, 0
}

// room makes sure that out has space for count more bytes.
func (f *inflater) room(count int) *Error {
	if count <= len(f.out)-f.o {
		return nil
	}
	if count > f.limit-f.o {
		return failure(codeTooBig, "compressed message of more than %d bytes, which is the limit", f.limit)
	}
	need := f.o + count
	larger := takeBuffer()
	if cap(larger) < need {
		giveBuffer(larger)
		// Text shrinks to a quarter or so: a first guess that seldom needs a second.
		size := max(2*need, min(4*len(f.in), largeBuffer))
		larger = make([]byte, 0, max(need, min(size, f.limit)))
	}
	copy(larger[:f.o], f.out)
	if f.scratch != nil {
		giveBuffer(f.scratch)
	}
	f.scratch = larger
	f.out = larger[:min(cap(larger), f.limit)]
	return nil
}

// stored copies a block without compression (RFC 1951, section 3.2.4). It returns true at the end
// of the message.
func (f *inflater) stored() (end bool, failed *Error) {
	f.align()
	switch len(f.in) - f.pos {
	case 0:
		return true, nil
	case 1, 2, 3:
		return false, cutOff()
	}
	header := binary.LittleEndian.Uint32(f.in[f.pos:])
	f.pos += 4
	length := int(header & 0xFFFF)
	if uint32(length) != ^header>>16 {
		return false, corrupt("the length of a stored block and its complement differ")
	}
	if length > len(f.in)-f.pos {
		return false, cutOff()
	}
	if failed := f.room(length); failed != nil {
		return false, failed
	}
	copy(f.out[f.o:], f.in[f.pos:f.pos+length])
	f.o += length
	f.pos += length
	return false, nil
}

// coded reads literals and matches up to the end of a block.
func (f *inflater) coded(lit *[litSize]uint32, dist *[distSize]uint32) *Error {
	// Everything the loop changes lives in local variables, for the registers.
	in, pos, acc, n := f.in, f.pos, f.acc, f.n
	out, o := f.out, f.o
	for {
		// The longest literal, length or distance with extra bits has 28 bits.
		if n < 28 {
			if pos+8 <= len(in) {
				acc |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
				pos += int(63-n) >> 3
				n |= 56
			} else {
				if f.beyond > n {
					return cutOff()
				}
				f.pos, f.acc, f.n = pos, acc, n
				f.fill()
				pos, acc, n = f.pos, f.acc, f.n
			}
		}
		e := lit[acc&(1<<litRoot-1)]
		if e&entryTable != 0 {
			e = lit[uint(e>>entryValueShift+uint32(acc>>litRoot)&(1<<(e>>entryExtraShift&entryExtraMask)-1))%litSize]
		}
		acc >>= e & entryLenMask
		n -= uint(e & entryLenMask)
		if e&entrySpecial == 0 {
			if o >= len(out) {
				f.o = o
				if failed := f.room(1); failed != nil {
					return failed
				}
				out = f.out
			}
			out[o] = byte(e >> entryValueShift)
			o++
			continue
		}
		if e&entryEnd != 0 {
			if e&entryNone != 0 {
				return corrupt("a code that stands for nothing")
			}
			f.pos, f.acc, f.n, f.o = pos, acc, n, o
			if f.beyond > n {
				return cutOff()
			}
			return nil
		}
		extra := uint(e >> entryExtraShift & entryExtraMask)
		length := int(e>>entryValueShift) + int(acc&(1<<extra-1))
		acc >>= extra & 63
		n -= extra

		if n < 28 {
			if pos+8 <= len(in) {
				acc |= binary.LittleEndian.Uint64(in[pos:]) << (n & 63)
				pos += int(63-n) >> 3
				n |= 56
			} else {
				if f.beyond > n {
					return cutOff()
				}
				f.pos, f.acc, f.n = pos, acc, n
				f.fill()
				pos, acc, n = f.pos, f.acc, f.n
			}
		}
		e = dist[acc&(1<<distRoot-1)]
		if e&entryTable != 0 {
			e = dist[uint(e>>entryValueShift+uint32(acc>>distRoot)&(1<<(e>>entryExtraShift&entryExtraMask)-1))%distSize]
		}
		if e&entryEnd != 0 {
			return corrupt("a code that stands for nothing")
		}
		acc >>= e & entryLenMask
		extra = uint(e >> entryExtraShift & entryExtraMask)
		back := int(e>>entryValueShift) + int(acc&(1<<extra-1))
		acc >>= extra & 63
		n -= uint(e&entryLenMask) + extra

		if length > len(out)-o {
			f.o = o
			if failed := f.room(length); failed != nil {
				return failed
			}
			out = f.out
		}
		end := o + length
		if back > o {
			old := back - o
			if old > len(f.window.ring) {
				return corrupt("a match that begins before all data")
			}
			o += f.window.copyFrom(out[o:end], old)
			// The rest begins at the start of out.
			for o < end {
				o += copy(out[o:end], out[:o])
			}
			continue
		}
		if from := o - back; back >= length {
			copy(out[o:end], out[from:from+length])
			o = end
		} else {
			// The match overlaps what it makes: what is copied doubles each time.
			for o < end {
				o += copy(out[o:end], out[from:o])
			}
		}
	}
}
