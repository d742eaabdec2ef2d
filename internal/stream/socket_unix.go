//go:build unix

package stream

import (
	"io"
	"syscall"
)

// socket does I/O on a file descriptor without blocking, beside the runtime's
// poller. The callbacks and their arguments are fields, so that a call
// allocates nothing. Reads belong to the holder of the turn to read, writes to
// the writer.
type socket struct {
	raw syscall.RawConn // nil: not usable

	onReadable func(fd uintptr) bool // tryRead
	wait       bool                  // whether to wait until something can be read
	readN      int
	readErr    error

	onWritable func(fd uintptr) bool // tryWrite
	more, data []byte                // what to write; more comes first
	writeN     int
	writeErr   error
}

// init makes s usable if t's stream is a socket.
func (s *socket) init(t *Transport) {
	conn, ok := t.rwc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	s.raw = raw
	s.onReadable = t.tryRead
	s.onWritable = s.tryWrite
}

func (s *socket) usable() bool { return s.raw != nil }

// read reads what is there. If nothing is, it waits for something, or with
// wait false returns 0 and nil. A deadline that passes is an error.
func (s *socket) read(wait bool) (int, error) {
	s.wait = wait
	s.readN, s.readErr = 0, nil
	if err := s.raw.Read(s.onReadable); err != nil {
		return 0, err
	}
	return s.readN, s.readErr
}

func (t *Transport) tryRead(fd uintptr) (done bool) {
	s := &t.socket
	n, err := ignoringEINTR(recv, fd, t.room())
	switch {
	case n > 0:
		s.readN = n
	case err == syscall.EAGAIN:
		t.noInput() // the room is not needed while nothing comes
		return !s.wait
	case err != nil:
		s.readErr = err
	default:
		s.readErr = io.EOF
	}
	return true
}

// write writes what the system takes of header and then payload now, and
// returns how much that was. header may be empty.
func (s *socket) write(header, payload []byte) (int, error) {
	s.more, s.data, s.writeN, s.writeErr = header, payload, 0, nil
	err := s.raw.Write(s.onWritable)
	s.more, s.data = nil, nil
	if err == nil {
		err = s.writeErr
	}
	return s.writeN, err
}

func (s *socket) tryWrite(fd uintptr) (done bool) {
	if s.writePiece(sendMore, fd, s.more) {
		s.writePiece(send, fd, s.data)
	}
	return true
}

// writePiece reports whether all of p was written.
func (s *socket) writePiece(write func(int, []byte) (int, error), fd uintptr, p []byte) bool {
	for len(p) > 0 {
		n, err := ignoringEINTR(write, fd, p)
		if n > 0 {
			s.writeN += n
			p = p[n:]
		}
		if err == syscall.EAGAIN {
			return false
		}
		if err != nil {
			s.writeErr = err
			return false
		}
	}
	return true
}

func ignoringEINTR(call func(int, []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := call(int(fd), p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
