package stream

// Park is for a connection that was silent for a while, and whose reader wants to give its
// goroutine back. It calls wait, which must see to it that Unpark is called once the descriptor
// is readable or the connection has ended, and reports true. Until Unpark no goroutine reads.
//
// It reports false, without calling wait, if there is something to receive, if the connection
// has ended, or if the stream is not a socket, and also if wait returns an error. Only the
// goroutine that receives may call it.
func (t *Transport) Park(wait func(fd uintptr) error) bool {
	if !t.socket.usable() {
		return false
	}
	t.takeTurn()
	defer t.reading.Unlock()
	if t.over || t.inbox.Bytes() > 0 || !t.parsed() {
		return false
	}
	// Nothing is read in the background: what is here was read, and what comes wakes the
	// reader.
	t.armed.Store(false)
	t.parked = true
	failed := error(nil)
	err := t.socket.raw.Control(func(fd uintptr) { failed = wait(fd) })
	t.parked = err == nil && failed == nil
	return t.parked
}

// Unpark ends the state that Park began. The caller receives next.
func (t *Transport) Unpark() {
	t.takeTurn()
	t.parked = false
	t.reading.Unlock()
}

// Parkable reports whether Park may ever report true.
func (t *Transport) Parkable() bool { return t.socket.usable() && canPoll }
