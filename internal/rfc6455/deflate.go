package rfc6455

import (
	"sync"

	"github.com/klauspost/compress/flate"
)

// restWindow bounds the part of sent messages that is kept while no deflater is held. The window
// of the other direction must be kept whole, 32 KiB, because the peer may refer to all of it.
// This side may choose how far back it refers. Twice as much would take twice the memory, and
// twice the time before the first message after a pause.
const restWindow = 16 << 10

// deflaterSize is the approximate memory of a deflater: 800 KiB to 1.2 MiB.
const deflaterSize = 1 << 20

// deflateState deflates the messages of one direction of a connection.
type deflateState struct {
	threshold int
	level     int
	bits      int // of the window
	takeover  bool
	window    window    // with takeover, the data to which a message after a pause may refer
	context   *deflater // with takeover, a deflater that has seen at least that, or nil
}

func newDeflateState(role Role, params *DeflateParams, policy DeflatePolicy) *deflateState {
	bits, takeover := params.sending(role)
	s := &deflateState{
		threshold: policy.Threshold,
		level:     max(1, min(policy.Level, maxLevel)),
		bits:      bits,
		takeover:  takeover,
		window:    window{size: min(1<<bits, restWindow)},
	}
	if s.threshold == 0 {
		s.threshold = defaultThreshold
		if takeover {
			s.threshold = defaultThresholdTakeover
		}
	}
	return s
}

// message appends the compressed payload to dst. Without takeover, it returns false and an
// unchanged dst if the payload would not become shorter. With takeover, the context already
// contains the payload.
func (s *deflateState) message(dst, payload []byte) ([]byte, bool) {
	if len(payload) == 0 {
		return dst, false
	}
	f := s.context
	if f == nil {
		f = takeDeflater(s.level, s.bits, &s.window)
	}
	longer := f.message(dst, payload)
	if s.takeover {
		s.context = f
		s.window.add(payload)
		return longer, true
	}
	f.release()
	if len(longer)-len(dst) >= len(payload) {
		return dst, false
	}
	return longer, true
}

// rest returns the deflater to the pool and keeps the window. A flush ends with whole bytes and
// a whole block, so another deflater can continue if all data that it has seen is in the peer's
// window.
func (s *deflateState) rest() {
	if s.context != nil {
		s.context.release()
		s.context = nil
	}
}

// resetContext discards the earlier messages.
func (s *deflateState) resetContext() {
	s.rest() // any deflater can be used with an empty window
	s.window.clear()
}

// release returns the deflater to the pool and discards all messages.
func (s *deflateState) release() {
	s.rest()
	s.window.release()
}

// deflater is a compressor that appends to a slice: it is the io.Writer of its
// own writer.
type deflater struct {
	writer *flate.Writer
	out    []byte
	dict   []byte // the dictionary of writer; a copy, because writer keeps a reference
	pool   *sync.Pool
}

// The pools hold deflaters by level, or by window size if that is bounded: the compressor has
// only one level for those.
var (
	deflaters       [maxLevel + 1]sync.Pool
	windowDeflaters [maxWindowBits]sync.Pool
)

// takeDeflater returns a deflater that has seen the data in w.
func takeDeflater(level, bits int, w *window) *deflater {
	pool := &deflaters[level]
	if bits < maxWindowBits {
		pool = &windowDeflaters[bits]
	}
	f, _ := pool.Get().(*deflater)
	if f == nil {
		f = &deflater{pool: pool}
		// Level and size are in range, so neither fails.
		if bits < maxWindowBits {
			f.writer, _ = flate.NewWriterWindow(f, 1<<bits)
		} else {
			f.writer, _ = flate.NewWriter(f, level)
		}
		if len(w.b) == 0 {
			return f
		}
	}
	f.dict = w.appendTo(f.dict[:0])
	f.writer.ResetDict(f, f.dict)
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
