package stream

// Memory returns how many bytes a Transport with Options.Traffic holds for its peer: queued
// output, messages not received yet, the received part of a message, and the state of
// compression. The reader's share is as of the last time that it looked for input.
// Memory may be called at any time.
func (t *Transport) Memory() int {
	n := t.inbox.Bytes() + int(t.traffic.held.Load())
	t.mu.Lock()
	defer t.mu.Unlock()
	return n + t.queued() + t.encoder.Held()
}

// hold records that the decoder holds n bytes. Called with the turn.
func (f *Traffic) hold(n int) {
	if f != nil && f.held.Load() != int64(n) {
		f.held.Store(int64(n))
	}
}
