package stream

import "sync"

const (
	// inputSize is how much one read asks for.
	inputSize = 16 << 10
	// keptOutput is the largest output buffer that goes back to the pool.
	keptOutput = 256 << 10
)

type inputBuffer [inputSize]byte

// outputBuffer grows with what is appended to it.
type outputBuffer struct{ b []byte }

// The pools are caches: which connection gets which buffer never shows.
var (
	inputBuffers  = sync.Pool{New: func() any { return new(inputBuffer) }}
	outputBuffers = sync.Pool{New: func() any { return new(outputBuffer) }}
)

func takeOutput() *outputBuffer { return outputBuffers.Get().(*outputBuffer) }

func giveOutput(b *outputBuffer) {
	if cap(b.b) <= keptOutput {
		b.b = b.b[:0]
		outputBuffers.Put(b)
	}
}
