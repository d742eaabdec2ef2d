package rfc6455

import "sync"

const (
	smallBuffer = 4 << 10
	// largeBuffer is the capacity above which a buffer is not pooled: the memory of a large
	// message must not stay in use.
	largeBuffer = 256 << 10
)

// buffers holds *[]byte for payloads. boxes holds *[]byte without memory, which saves an
// allocation when a buffer is returned.
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

// giveBuffer returns a buffer to the pool.
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
