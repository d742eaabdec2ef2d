package stream

// Unpark ends the state that Park began. The caller must receive next.
func (t *Transport) Unpark() {
	t.takeTurn()
	t.parked = false
	t.reading.Unlock()
}

// Parkable reports whether Park may ever report true.
func (t *Transport) Parkable() bool { return t.socket.usable() && canPoll }
