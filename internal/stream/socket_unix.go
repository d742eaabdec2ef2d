//go:build unix

package stream

import (
	"io"
	"net"
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
	onWritable      func(fd uintptr) (done bool) // try
	header, payload []byte                       // what is still to be written
	n               int                          // how much was
	err             error
}

var socketWrites = sync.Pool{New: func() any {
	w := new(socketWrite)
	w.onWritable = w.try
	return w
}}

// init makes s usable if t's stream is exactly a socket of package net. Any other
// type may change or count what goes through its Read and Write, even if it gives
// access to a descriptor: a type that embeds a *net.TCPConn does.
func (s *socket) init(t *Transport) {
	var raw syscall.RawConn
	var err error
	switch conn := t.rwc.(type) {
	case *net.TCPConn:
		raw, err = conn.SyscallConn()
	case *net.UnixConn:
		raw, err = conn.SyscallConn()
	default:
		return
	}
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
	n, err := recv(int(fd), t.room())
	for err == syscall.EINTR {
		n, err = recv(int(fd), t.room())
	}
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
	w.header, w.payload, w.n, w.err = header, payload, 0, nil
	err := s.raw.Write(w.onWritable)
	if err == nil {
		err = w.err
	}
	n := w.n
	w.header, w.payload, w.err = nil, nil, nil
	socketWrites.Put(w)
	return n, err
}

func (w *socketWrite) try(fd uintptr) (done bool) {
	for len(w.header)+len(w.payload) > 0 {
		n, err := send(int(fd), w.header, w.payload)
		if n > 0 {
			w.n += n
			ofHeader := min(n, len(w.header))
			w.header, w.payload = w.header[ofHeader:], w.payload[n-ofHeader:]
		}
		if err != nil && err != syscall.EINTR {
			if err != syscall.EAGAIN {
				w.err = err
			}
			break
		}
	}
	return true
}
