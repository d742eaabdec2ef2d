//go:build !unix

package stream

// socket is never usable on this system: the runtime offers no non-blocking I/O
// outside its poller. Streams are read with deadlines and written by a flusher.
type socket struct{}

func (*socket) init(*Transport) {}

func (*socket) usable() bool { return false }

func (*socket) belowTLS() bool { return false }

func (*socket) read() (int, error) { panic("stream: no socket on this system") }

func (*socket) write(header, payload []byte) (int, error) { panic("stream: no socket on this system") }
