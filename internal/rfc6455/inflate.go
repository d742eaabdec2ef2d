package rfc6455

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
)

// inflateState inflates the messages of one direction of a connection.
type inflateState struct {
	takeover bool
	window   window // with takeover, the end of the messages before
	wire     []byte // the payload of the current message, if it comes in pieces
}

func newInflateState(role Role, params *DeflateParams) *inflateState {
	bits, takeover := params.sending(1 - role)
	return &inflateState{takeover: takeover, window: window{size: 1 << bits}}
}

// message inflates payload to buf[:0] where it fits, otherwise to a new slice.
// More than limit bytes are an error.
func (s *inflateState) message(buf, payload []byte, limit int) ([]byte, *Error) {
	if len(payload) == 0 {
		return nonNil(buf[:0]), nil // an empty message from a sender that cut too much
	}
	f := inflaters.Get().(*inflater)
	var before []byte
	before, f.window = s.window.linear(f.window)
	out, failed := f.message(buf, payload, before, limit)
	inflaters.Put(f)
	if failed != nil {
		return nil, failed
	}
	if s.takeover {
		s.window.add(out)
	}
	return out, nil
}

func (s *inflateState) release() { s.window.release() }

// inflater is a reader of deflate data and the source it reads from.
type inflater struct {
	payload bytes.Reader
	tail    strings.Reader
	reader  io.ReadCloser
	window  []byte // the one of the connection, where it is in two places
	scratch []byte // for what does not fit the caller's buffer
	joined  []byte // what a block may refer to, where it is in two places
	probe   [64]byte
}

// The pool is a cache: an inflater keeps nothing between two messages.
var inflaters = sync.Pool{New: func() any {
	f := &inflater{}
	f.reader = flate.NewReader(f)
	return f
}}

// tail is what the sender cut from the payload (RFC 7692, section 7.2.2), and a
// final block, so that the reader distinguishes the end from a payload that was cut off.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

// Read implements io.Reader for the reader.
func (f *inflater) Read(p []byte) (int, error) {
	if f.payload.Len() > 0 {
		return f.payload.Read(p)
	}
	return f.tail.Read(p)
}

// ReadByte makes the reader take no byte more than it needs.
func (f *inflater) ReadByte() (byte, error) {
	if f.payload.Len() > 0 {
		return f.payload.ReadByte()
	}
	return f.tail.ReadByte()
}

// message inflates payload, which may refer to what is in window.
func (f *inflater) message(buf, payload, window []byte, limit int) ([]byte, *Error) {
	f.payload.Reset(payload)
	f.tail.Reset(tail)
	out, failed := f.inflate(buf, len(payload), window, limit)
	f.payload.Reset(nil)
	if failed != nil && cap(f.scratch) > largeBuffer {
		f.scratch = nil // as after a large message that is delivered
	}
	return out, failed
}

// inflate inflates what f reads, wire bytes of payload.
func (f *inflater) inflate(buf []byte, wire int, window []byte, limit int) ([]byte, *Error) {
	out := buf[:0]
	if cap(out) == 0 {
		out = f.scratch[:0]
	}
	f.reader.(flate.Resetter).Reset(f, window)
	for {
		room := out[len(out):cap(out)]
		if len(room) == 0 {
			room = f.probe[:] // the message may fit exactly
		}
		n, err := f.reader.Read(room)
		if len(out) == cap(out) && n > 0 {
			out = append(f.grown(out, wire, limit), room[:n]...)
		} else {
			out = out[:len(out)+n]
		}
		if len(out) > limit {
			return nil, failure(codeTooBig, "compressed message of more than %d bytes, which is the limit", limit)
		}
		switch {
		case err == nil:
		case err == io.EOF && f.payload.Len() > 0:
			// A final block does not end a message (RFC 7692, section 7.2.3.4): what
			// follows begins at the next byte, and may refer to what came before.
			f.reader.(flate.Resetter).Reset(f, f.before(window, out))
		case err == io.EOF:
			return f.delivered(out), nil
		case err == io.ErrUnexpectedEOF:
			return nil, failure(codeInvalidPayload, "compressed message ends in the middle of a block")
		default:
			return nil, failure(codeInvalidPayload, "compressed message is not valid deflate data: %v", err)
		}
	}
}

// before returns what a block after window and out can refer to, at most the
// largest window. A message can consist of final blocks, two bytes each, so
// that this must not cost what the message so far is long.
func (f *inflater) before(window, out []byte) []byte {
	const most = 1 << maxWindowBits
	if over := len(out) - most; over >= 0 {
		return out[over:]
	}
	if len(window) == 0 {
		return out
	}
	if over := len(window) + len(out) - most; over > 0 {
		window = window[over:]
	}
	f.joined = append(append(f.joined[:0], window...), out...)
	return f.joined
}

// grown returns out in the scratch memory, with more room.
func (f *inflater) grown(out []byte, wire, limit int) []byte {
	if cap(f.scratch) <= len(out)+len(f.probe) {
		size := min(2*len(out)+4*wire, limit+1)
		f.scratch = make([]byte, 0, max(size, len(out)+len(f.probe)))
	}
	return append(f.scratch[:0], out...)
}

// delivered returns out as it is if it is the caller's buffer, else a slice of
// its size.
func (f *inflater) delivered(out []byte) []byte {
	if cap(f.scratch) == 0 || cap(out) == 0 || &out[:1][0] != &f.scratch[:1][0] {
		return nonNil(out)
	}
	if cap(out) > largeBuffer {
		// A large message stays where it is: another copy costs more than the memory.
		f.scratch = nil
		return out
	}
	return append(make([]byte, 0, len(out)), out...)
}

func nonNil(b []byte) []byte {
	if b == nil {
		b = []byte{}
	}
	return b
}
