package rfc6455

// leastWindow is the capacity that a window starts with. It doubles from there, so that a
// connection of few small messages does not hold memory for a full window.
const leastWindow = 1 << 10

// window is the end of the messages of one direction of a connection, at most size bytes. A zero
// value with a size is empty.
type window struct {
	b     []byte // once it has size bytes, a ring
	start int    // of the oldest byte in b
	size  int
}

// add appends msg and drops what is then further back than size bytes.
func (w *window) add(msg []byte) {
	if over := len(msg) - w.size; over > 0 {
		msg = msg[over:]
	}
	if room := w.size - len(w.b); room > 0 && len(msg) > 0 {
		n := min(room, len(msg))
		w.grow(len(w.b) + n)
		w.b = append(w.b, msg[:n]...)
		msg = msg[n:]
	}
	for len(msg) > 0 {
		n := copy(w.b[w.start:], msg)
		msg = msg[n:]
		if w.start += n; w.start == w.size {
			w.start = 0
		}
	}
}

// grow makes room for n bytes in all, which are at most size.
func (w *window) grow(n int) {
	if n <= cap(w.b) {
		return
	}
	// Not left to append: a full window takes its size and no more.
	w.b = append(make([]byte, 0, min(w.size, max(leastWindow, 2*cap(w.b), n))), w.b...)
}

// appendTo appends the bytes to dst, oldest first.
func (w *window) appendTo(dst []byte) []byte {
	return append(append(dst, w.b[w.start:]...), w.b[:w.start]...)
}

// linear returns the bytes, oldest first, in scratch if they are in two places. They are
// valid until the next add. It also returns scratch, which may have moved.
func (w *window) linear(scratch []byte) (bytes, longer []byte) {
	if w.start == 0 {
		return w.b, scratch
	}
	scratch = w.appendTo(scratch[:0])
	return scratch, scratch
}

// clear forgets the bytes and keeps the memory.
func (w *window) clear() { w.b, w.start = w.b[:0], 0 }

// release forgets the bytes and their memory.
func (w *window) release() { w.b, w.start = nil, 0 }
