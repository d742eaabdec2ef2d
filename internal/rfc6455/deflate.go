package rfc6455

import "sync"

// The compressor of the default level is made for messages: a code of its own only where that pays,
// nothing to clear between two messages, and a context of up to 70 KiB, where a general writer
// takes 0.9 MiB and more.

const (
	// maxChunk is how much goes into one block, so that lengths in it fit 16 bits.
	maxChunk = 32 << 10
	// contextChunk is the same with a context, and the room for it behind the window.
	contextChunk = 16 << 10
)

// deflateState deflates the messages of one direction of a connection.
type deflateState struct {
	threshold int
	window    int
	takeover  bool
	level     int

	// With takeover, from the first compressed message on, one of these:
	context *deflateContext
	general *levelWriter // at levels above 1
}

// deflateContext is what matches may refer to: the end of the messages before, and where in it to
// look.
type deflateContext struct {
	matcher matcher
	recent  []byte
}

var (
	matchers = sync.Pool{New: func() any { return new(matcher) }}
	contexts = sync.Pool{New: func() any { return new(deflateContext) }}
)

func newDeflateState(role Role, params *DeflateParams, policy DeflatePolicy) *deflateState {
	bits, takeover := params.sending(role)
	s := &deflateState{
		threshold: policy.Threshold,
		window:    1 << bits,
		takeover:  takeover,
		level:     max(1, min(policy.Level, maxLevel)),
	}
	if bits < maxWindowBits {
		s.level = 1 // the general writer's window cannot be bounded
	}
	if s.threshold == 0 {
		s.threshold = defaultThreshold
		if takeover {
			s.threshold = defaultThresholdTakeover
		}
	}
	return s
}

// message appends the compressed payload to dst. It returns false, with dst as it was and nothing
// remembered, where the payload does not become shorter; except where it cannot be forgotten any
// more.
func (s *deflateState) message(dst, payload []byte) ([]byte, bool) {
	start := len(dst)
	forgettable := true
	switch {
	case s.level > 1:
		dst, forgettable = s.atLevel(dst, payload), !s.takeover
	case s.takeover:
		dst, forgettable = s.withContext(dst, payload), len(payload) <= contextChunk
	default:
		dst = s.withoutContext(dst, payload)
	}
	if len(dst)-start < len(payload) || !forgettable {
		return dst, true
	}
	if s.context != nil {
		recent := &s.context.recent
		*recent = (*recent)[:len(*recent)-len(payload)]
	}
	return dst[:start], false
}

func (s *deflateState) withoutContext(dst, payload []byte) []byte {
	w := takeBlockWriter()
	m := matchers.Get().(*matcher)
	m.renew()
	for from := 0; from < len(payload); from += maxChunk {
		to := min(from+maxChunk, len(payload))
		w.seqs = m.find(w.seqs[:0], payload[:to], from, s.window)
		dst = w.block(dst, payload[from:to])
	}
	dst = w.end(dst)
	// The next message begins out of reach of this one.
	m.base += uint32(len(payload) + s.window)
	matchers.Put(m)
	blockWriters.Put(w)
	return dst
}

func (s *deflateState) withContext(dst, payload []byte) []byte {
	c := s.context
	if c == nil {
		c = contexts.Get().(*deflateContext)
		c.recent = c.recent[:0]
		s.context = c
	}
	w := takeBlockWriter()
	for len(payload) > 0 {
		chunk := payload[:min(len(payload), contextChunk)]
		payload = payload[len(chunk):]
		c.add(chunk, s.window)
		w.seqs = c.matcher.find(w.seqs[:0], c.recent, len(c.recent)-len(chunk), s.window)
		dst = w.block(dst, chunk)
	}
	dst = w.end(dst)
	blockWriters.Put(w)
	return dst
}

// atLevel compresses with the general writer.
func (s *deflateState) atLevel(dst, payload []byte) []byte {
	w := s.general
	if w == nil {
		w = takeLevelWriter(s.level)
	}
	dst = w.message(dst, payload)
	if s.takeover {
		s.general = w
	} else {
		w.release()
	}
	return dst
}

// add appends chunk to what is recent, and forgets what the window does not reach.
func (c *deflateContext) add(chunk []byte, window int) {
	c.matcher.renew()
	most := window + contextChunk
	if len(c.recent)+len(chunk) > most {
		old := len(c.recent) - window
		c.recent = c.recent[:copy(c.recent, c.recent[old:])]
		c.matcher.base += uint32(old)
	}
	if need := len(c.recent) + len(chunk); need > cap(c.recent) {
		c.recent = append(make([]byte, 0, min(max(2*need, 2<<10), most)), c.recent...)
	}
	c.recent = append(c.recent, chunk...)
}

// resetContext forgets the messages before.
func (s *deflateState) resetContext() {
	if s.context != nil {
		s.context.recent = s.context.recent[:0]
	}
	if s.general != nil {
		s.general.zw.Reset(s.general)
	}
}

// release makes the context available to others.
func (s *deflateState) release() {
	if s.context != nil {
		contexts.Put(s.context)
	}
	if s.general != nil {
		s.general.release()
	}
	s.context, s.general = nil, nil
}
