package rfc6455

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// inflateState inflates the messages of one direction.
type inflateState struct {
	takeover bool
	window   []byte // the last bytes of the messages before, with context takeover
	size     int    // of the window
}

func newInflateState(role Role, params *DeflateParams) *inflateState {
	peer := Client
	if role == Client {
		peer = Server
	}
	windowBits, takeover := params.sending(peer)
	return &inflateState{takeover: takeover, size: 1 << windowBits}
}

// tail ends the payload that its sender cut (RFC 7692, section 7.2.2), and adds a
// final block so that the reader sees the end.
const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"

type inflater struct {
	src  bytes.Reader
	tail bytes.Reader
	zr   io.ReadCloser
}

func (f *inflater) Read(p []byte) (int, error) {
	if f.src.Len() > 0 {
		return f.src.Read(p)
	}
	return f.tail.Read(p)
}

func (f *inflater) ReadByte() (byte, error) {
	if f.src.Len() > 0 {
		return f.src.ReadByte()
	}
	return f.tail.ReadByte()
}

var inflaters = sync.Pool{New: func() any {
	f := new(inflater)
	f.zr = flate.NewReader(f)
	return f
}}

// message appends the inflated payload to buf[:0] where it fits, else to a slice of its own.
func (s *inflateState) message(buf, payload []byte, limit int) ([]byte, *Error) {
	f := inflaters.Get().(*inflater)
	f.src.Reset(payload)
	f.tail.Reset([]byte(tail))
	f.zr.(flate.Resetter).Reset(f, s.window)
	out := buf[:0]
	if out == nil {
		out = make([]byte, 0, min(limit+1, 4*len(payload)+64))
	}
	for {
		if len(out) == cap(out) {
			out = append(make([]byte, 0, 2*len(out)+512), out...)
		}
		n, err := f.zr.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if len(out) > limit {
			return nil, failure(codeTooBig, "compressed message of more than %d bytes, the limit", limit)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, failure(codeInvalidPayload, "compressed message ends in the middle of a block")
			}
			return nil, failure(codeInvalidPayload, "compressed message is not valid deflate data: %v", err)
		}
	}
	f.src.Reset(nil)
	inflaters.Put(f)
	if s.takeover {
		s.remember(out)
	}
	return out, nil
}

// remember adds a message to the window.
func (s *inflateState) remember(msg []byte) {
	if len(msg) >= s.size {
		s.window = append(s.window[:0], msg[len(msg)-s.size:]...)
		return
	}
	if over := len(s.window) + len(msg) - s.size; over > 0 {
		s.window = s.window[:copy(s.window, s.window[over:])]
	}
	s.window = append(s.window, msg...)
}

func (s *inflateState) release() { s.window = nil }
