package rfc6455

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// deflateState deflates the messages of one direction.
type deflateState struct {
	threshold int
	takeover  bool
	level     int
	bits      int
	live      *deflater
}

type deflater struct {
	out []byte
	zw  *flate.Writer
}

func (f *deflater) Write(p []byte) (int, error) {
	f.out = append(f.out, p...)
	return len(p), nil
}

type deflaterKind struct{ level, bits int }

var deflaters sync.Map // deflaterKind to *sync.Pool of *deflater

func newDeflateState(role Role, params *DeflateParams, policy DeflatePolicy) *deflateState {
	windowBits, takeover := params.sending(role)
	s := &deflateState{threshold: policy.Threshold, takeover: takeover, level: policy.Level, bits: windowBits}
	if s.threshold == 0 {
		s.threshold = defaultThreshold
		if takeover {
			s.threshold = defaultThresholdTakeover
		}
	}
	if s.level < 1 || s.level > 9 {
		s.level = 1
	}
	return s
}

func (s *deflateState) take() *deflater {
	if s.live != nil {
		s.live.out = nil
		return s.live
	}
	kind := deflaterKind{s.level, s.bits}
	pool, _ := deflaters.LoadOrStore(kind, new(sync.Pool))
	f, _ := pool.(*sync.Pool).Get().(*deflater)
	if f == nil {
		f = new(deflater)
		if s.bits < maxWindowBits {
			f.zw, _ = flate.NewWriterWindow(f, 1<<s.bits)
		} else {
			f.zw, _ = flate.NewWriter(f, s.level)
		}
	} else {
		f.zw.Reset(f)
	}
	if s.takeover {
		s.live = f
	}
	return f
}

// message appends the compressed payload to dst; false: it did not shrink and may be sent as it is.
func (s *deflateState) message(dst, payload []byte) ([]byte, bool) {
	f := s.take()
	f.out = dst
	f.zw.Write(payload)
	f.zw.Flush()
	out := f.out[:len(f.out)-4]
	f.out = nil
	if !s.takeover {
		s.give(f)
		if len(out)-len(dst) >= len(payload) {
			return dst, false
		}
	}
	return out, true
}

func (s *deflateState) give(f *deflater) {
	if pool, ok := deflaters.Load(deflaterKind{s.level, s.bits}); ok {
		pool.(*sync.Pool).Put(f)
	}
}

func (s *deflateState) resetContext() {
	if s.live != nil {
		s.live.zw.Reset(s.live)
	}
}

func (s *deflateState) release() {
	if s.live != nil {
		s.give(s.live)
		s.live = nil
	}
}
