package rfc6455

import "sync"

const (
	smallBuffer = 4 << 10
	// largeBuffer is the capacity above which a buffer is left to the garbage collector, so that
	// one large message does not stay in memory.
	largeBuffer = 256 << 10
)

// buffers holds *[]byte for compressed payloads.
var buffers sync.Pool

// takeBuffer returns an empty buffer with some capacity.
func takeBuffer() []byte {
	if b, _ := buffers.Get().(*[]byte); b != nil {
		return (*b)[:0]
	}
	return make([]byte, 0, smallBuffer)
}

// giveBuffer puts a buffer back.
func giveBuffer(b []byte) {
	if cap(b) >= smallBuffer && cap(b) <= largeBuffer {
		buffers.Put(&b)
	}
}
