package rfc6455

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// deflateState deflates the messages of one direction of a connection.
type deflateState struct {
	threshold int
	level     int
	bits      int // of the window
	takeover  bool
	context   *deflater // with takeover, from the first compressed message on
}

func newDeflateState(role Role, params *DeflateParams, policy DeflatePolicy) *deflateState {
	bits, takeover := params.sending(role)
	s := &deflateState{
		threshold: policy.Threshold,
		level:     max(1, min(policy.Level, maxLevel)),
		bits:      bits,
		takeover:  takeover,
	}
	if s.threshold == 0 {
		s.threshold = defaultThreshold
		if takeover {
			s.threshold = defaultThresholdTakeover
		}
	}
	return s
}

// message appends the compressed payload to dst. It returns false, with dst as
// it was, where the payload does not become shorter; but not with takeover, where the
// context has seen it.
func (s *deflateState) message(dst, payload []byte) ([]byte, bool) {
	if len(payload) == 0 {
		return dst, false
	}
	f := s.context
	if f == nil {
		f = takeDeflater(s.level, s.bits)
	}
	longer := f.message(dst, payload)
	if s.takeover {
		s.context = f
		return longer, true
	}
	f.release()
	if len(longer)-len(dst) >= len(payload) {
		return dst, false
	}
	return longer, true
}

// resetContext forgets the messages before.
func (s *deflateState) resetContext() {
	if s.context != nil {
		s.context.writer.Reset(s.context)
	}
}

// release makes the context available to others.
func (s *deflateState) release() {
	if s.context != nil {
		s.context.release()
		s.context = nil
	}
}

// deflater is a compressor that appends to a slice: it is the io.Writer of its
// own writer.
type deflater struct {
	writer *flate.Writer
	out    []byte
	pool   *sync.Pool
}

// The pools are caches of deflaters, by level, and by window size where that is
// bounded: the compressor has one level for those.
var (
	deflaters       [maxLevel + 1]sync.Pool
	windowDeflaters [maxWindowBits]sync.Pool
)

// takeDeflater returns a deflater without context.
func takeDeflater(level, bits int) *deflater {
	pool := &deflaters[level]
	if bits < maxWindowBits {
		pool = &windowDeflaters[bits]
	}
	if f, _ := pool.Get().(*deflater); f != nil {
		f.writer.Reset(f)
		return f
	}
	f := &deflater{pool: pool}
	// Level and size are in range, so neither fails.
	if bits < maxWindowBits {
		f.writer, _ = flate.NewWriterWindow(f, 1<<bits)
	} else {
		f.writer, _ = flate.NewWriter(f, level)
	}
	return f
}

// message appends payload, compressed, to dst, without the four bytes that end
// every flush (RFC 7692, section 7.2.1).
func (f *deflater) message(dst, payload []byte) []byte {
	f.out = dst
	// Write below never fails, so neither do these.
	f.writer.Write(payload)
	f.writer.Flush()
	dst, f.out = f.out[:len(f.out)-4], nil
	return dst
}

func (f *deflater) Write(p []byte) (int, error) {
	f.out = append(f.out, p...)
	return len(p), nil
}

func (f *deflater) release() { f.pool.Put(f) }
