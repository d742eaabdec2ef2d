package stream

import "sync"

const (
	// inputSize is the size of one read. An inputBuffer of this size fills 16 KiB.
	inputSize = 16<<10 - 64
	// keptOutput is the largest output buffer that goes back to the pool.
	keptOutput = 256 << 10
)

// input holds bytes that a connection has read but not parsed.
type input struct {
	data   []byte
	r, w   int          // data[r:w] is not parsed yet
	buffer *inputBuffer // the buffer that owns data; nil if the connection does
}

// inputBuffer is an input with its memory.
type inputBuffer struct {
	input
	memory [inputSize]byte
}

// outputBuffer is a buffer of frames that grows as needed.
type outputBuffer struct {
	b       []byte
	control int // b[:control] are the control frames that overtake the messages after them
	pong    int // where the last pong among them begins
	pongEnd int // where it ends; 0 if there is none
}

// The pools are only caches: it does not matter which connection gets which buffer.
var (
	inputBuffers  = sync.Pool{New: newInputBuffer}
	tlsInputs     = sync.Pool{New: func() any { return &input{data: make([]byte, tlsInputSize)} }}
	outputBuffers = sync.Pool{New: func() any { return new(outputBuffer) }}
)

func newInputBuffer() any {
	b := new(inputBuffer)
	b.data, b.buffer = b.memory[:], b
	return b
}

func takeOutput() *outputBuffer { return outputBuffers.Get().(*outputBuffer) }

func giveOutput(b *outputBuffer) {
	if cap(b.b) <= keptOutput {
		b.b, b.control, b.pong, b.pongEnd = b.b[:0], 0, 0, 0
		outputBuffers.Put(b)
	}
}
