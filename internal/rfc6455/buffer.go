package rfc6455

import "sync"

const (
	smallBuffer = 4 << 10
	// largeBuffer is the capacity above which a buffer is left to the garbage collector, so that
	// one large message does not stay in memory.
	largeBuffer = 256 << 10
)

// buffers holds *[]byte for payloads, and boxes *[]byte without memory, so that giving a
// buffer back need not allocate the pointer.
var buffers, boxes sync.Pool

// takeBuffer returns an empty buffer with some capacity.
func takeBuffer() []byte {
	box, _ := buffers.Get().(*[]byte)
	if box == nil {
		return make([]byte, 0, smallBuffer)
	}
	b := *box
	*box = nil
	boxes.Put(box)
	return b[:0]
}

// giveBuffer puts a buffer back.
func giveBuffer(b []byte) {
	if cap(b) < smallBuffer || cap(b) > largeBuffer {
		return
	}
	box, _ := boxes.Get().(*[]byte)
	if box == nil {
		box = new([]byte)
	}
	*box = b
	buffers.Put(box)
}
