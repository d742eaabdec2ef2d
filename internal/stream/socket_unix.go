//go:build unix

package stream

import (
	"io"
	"sync"
	"syscall"
)

// socket does I/O on a file descriptor without blocking, beside the runtime's
// poller. The callbacks and their arguments are fields, so that a call
// allocates nothing. Reads belong to the holder of the turn to read.
type socket struct {
	raw        syscall.RawConn              // nil: not usable
	onReadable func(fd uintptr) (done bool) // tryRead
	readN      int
	readErr    error
}

// socketWrite is a write to a socket. Unlike a read it does not wait, so there
// are only ever a few, which come from a pool.
type socketWrite struct {
	onWritable func(fd uintptr) (done bool) // try
	more, data []byte                       // what to write; more comes first
	n          int
	err        error
}

var socketWrites = sync.Pool{New: func() any {
	w := new(socketWrite)
	w.onWritable = w.try
	return w
}}

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
}

func (s *socket) usable() bool { return s.raw != nil }

// read reads what is there. If nothing is, it waits for something, or where
// the reader does not wait returns 0 and nil. A deadline that passes is an
// error.
func (s *socket) read() (int, error) {
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
		return !t.wait
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
	w := socketWrites.Get().(*socketWrite)
	w.more, w.data, w.n, w.err = header, payload, 0, nil
	err := s.raw.Write(w.onWritable)
	if err == nil {
		err = w.err
	}
	n := w.n
	w.more, w.data, w.err = nil, nil, nil
	socketWrites.Put(w)
	return n, err
}

func (w *socketWrite) try(fd uintptr) (done bool) {
	if w.piece(sendMore, fd, w.more) {
		w.piece(send, fd, w.data)
	}
	return true
}

// piece reports whether all of p was written.
func (w *socketWrite) piece(write func(int, []byte) (int, error), fd uintptr, p []byte) bool {
	for len(p) > 0 {
		n, err := ignoringEINTR(write, fd, p)
		if n > 0 {
			w.n += n
			p = p[n:]
		}
		if err == syscall.EAGAIN {
			return false
		}
		if err != nil {
			w.err = err
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
