package stream

import "sync"

const (
	// inputSize is how much one read asks for. With its input it fills 16 KiB.
	inputSize = 16<<10 - 64
	// keptOutput is the largest output buffer that goes back to the pool.
	keptOutput = 256 << 10
)

// input is what a connection has read but not parsed.
type input struct {
	data   []byte
	r, w   int          // data[r:w] is to be parsed
	buffer *inputBuffer // what data is of, nil if the connection's own
}

// inputBuffer is an input with the memory for it.
type inputBuffer struct {
	input
	memory [inputSize]byte
}

// outputBuffer grows with what is appended to it.
type outputBuffer struct {
	b       []byte
	control int // b[:control] are the control frames that overtake the messages after them
	pong    int // where the last pong of these is
	pongEnd int // where it ends; 0: there is none
}

// The pools are caches: which connection gets which buffer never shows.
var (
	inputBuffers  = sync.Pool{New: newInputBuffer}
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
