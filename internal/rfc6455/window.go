package rfc6455

// window keeps the last bytes of the messages before, which a sender with context takeover may
// refer to. It takes memory as bytes come, up to its size.
type window struct {
	ring []byte
	next int // where the next byte goes once the ring is full
	size int
}

// add appends b and forgets what is older than size.
func (w *window) add(b []byte) {
	if len(b) >= w.size {
		w.ring, w.next = append(w.ring[:0], b[len(b)-w.size:]...), 0
		return
	}
	if room := w.size - len(w.ring); room > 0 {
		first := b[:min(room, len(b))]
		if need := len(w.ring) + len(first); need > cap(w.ring) {
			w.ring = append(make([]byte, 0, min(w.size, max(2*need, 1<<10))), w.ring...)
		}
		w.ring = append(w.ring, first...)
		b = b[len(first):]
	}
	n := copy(w.ring[w.next:], b)
	w.next += n
	if n < len(b) {
		w.next = copy(w.ring, b[n:])
	}
	if w.next == w.size {
		w.next = 0
	}
}

// copyFrom copies to dst the bytes that begin back bytes before the end, as many as there are up to
// the end. back must not exceed the length of the ring.
func (w *window) copyFrom(dst []byte, back int) int {
	if back < len(dst) {
		dst = dst[:back]
	}
	// next is 0 as long as the ring is not full.
	from := w.next - back
	if from < 0 {
		from += len(w.ring)
	}
	n := copy(dst, w.ring[from:])
	if n < len(dst) {
		n += copy(dst[n:], w.ring)
	}
	return n
}
