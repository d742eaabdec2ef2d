package differential

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"iter"
)

// compressed is a compressed message of a stream, as far as it came.
type compressed struct {
	payload []byte // of all frames
	parts   int
	whole   bool
}

// frame is a frame of a stream, as far as it came.
type frame struct {
	first   byte
	length  uint64
	payload []byte // unmasked
}

// frames calls yield for each frame of wire whose length came. It takes every frame for one, right or
// wrong.
func frames(wire []byte) iter.Seq[frame] {
	return func(yield func(frame) bool) {
		for len(wire) >= 2 {
			first, second, header := wire[0], wire[1], 2
			n := uint64(second & 0x7F)
			switch {
			case n == 126 && len(wire) >= 4:
				n, header = uint64(binary.BigEndian.Uint16(wire[2:])), 4
			case n == 127 && len(wire) >= 10:
				n, header = binary.BigEndian.Uint64(wire[2:]), 10
			case n >= 126:
				return
			}
			key := make([]byte, 4)
			if second&0x80 != 0 {
				if len(wire) < header+4 {
					yield(frame{first: first, length: n})
					return
				}
				copy(key, wire[header:])
				header += 4
			}
			payload := bytes.Clone(wire[header:])
			payload = payload[:min(n, uint64(len(payload)))]
			wire = wire[header+len(payload):]
			for i := range payload {
				payload[i] ^= key[i%4]
			}
			if !yield(frame{first, n, payload}) {
				return
			}
		}
	}
}

// hasHugeLength reports whether a frame announces 2^63 bytes or more.
func hasHugeLength(_ role, wire []byte) bool {
	for f := range frames(wire) {
		if f.length >= 1<<63 {
			return true
		}
	}
	return false
}

// compressedMessages returns the compressed messages.
func compressedMessages(r role, wire []byte) (all []compressed) {
	if r != inflating {
		return nil
	}
	var current *compressed
	for f := range frames(wire) {
		switch op := f.first & 0x0F; {
		case op == 1 || op == 2:
			current = nil
			if f.first&0x40 != 0 {
				all = append(all, compressed{})
				current = &all[len(all)-1]
			}
		case op != 0:
			continue
		}
		if current != nil {
			current.payload = append(current.payload, f.payload...)
			current.parts++
			if current.whole = uint64(len(f.payload)) == f.length && f.first&0x80 != 0; current.whole {
				current = nil
			}
		}
	}
	return all
}

// inflate returns the error of inflating b: nil at a final block.
func inflate(b []byte) error {
	_, err := io.Copy(io.Discard, flate.NewReader(bytes.NewReader(b)))
	return err
}

// any reports whether a compressed message of the stream has a property.
func anyCompressed(has func(compressed) bool) func(role, []byte) bool {
	return func(r role, wire []byte) bool {
		for _, c := range compressedMessages(r, wire) {
			if has(c) {
				return true
			}
		}
		return false
	}
}

var (
	// hasFinalBlock: a block with BFINAL.
	hasFinalBlock = anyCompressed(func(c compressed) bool { return inflate(c.payload) == nil })
	// hasNoBlock: a compressed message without a byte.
	hasNoBlock = anyCompressed(func(c compressed) bool { return c.whole && len(c.payload) == 0 })
	// hasBadPart: the frames that came are not DEFLATE data, and more are to come, or are later in the
	// stream.
	hasBadPart = anyCompressed(func(c compressed) bool {
		var corrupt flate.CorruptInputError
		return (c.parts > 1 || !c.whole) && errors.As(inflate(append(bytes.Clone(c.payload), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)), &corrupt)
	})
	// isLargeCompressed: the compressed payload is over the limit.
	isLargeCompressed = anyCompressed(func(c compressed) bool { return len(c.payload) > limit || !c.whole })
)
