//go:build unix

package stream

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"syscall"
)

// socket does non-blocking I/O on a file descriptor, outside the runtime's
// poller. The callbacks and their arguments are fields, so a call
// does not allocate. Only the holder of the turn reads.
type socket struct {
	raw        syscall.RawConn              // below TLS it may only be queried; nil if there is none
	onReadable func(fd uintptr) (done bool) // tryRead; nil if not usable
	readN      int
	readErr    error
}

// socketWrite is a write to a socket. Unlike a read, it does not wait. So only a few exist
// at a time, and they come from a pool.
type socketWrite struct {
	onWritable      func(fd uintptr) (done bool) // try
	header, payload []byte                       // still to be written
	n               int                          // bytes written
	err             error
}

var socketWrites = sync.Pool{New: func() any {
	w := new(socketWrite)
	w.onWritable = w.try
	return w
}}

// init makes s usable if the type of t's stream is exactly a socket type of package net. Any
// other type may change or count the bytes that pass its Read and Write, even if it gives
// access to a descriptor, as a type that embeds a *net.TCPConn does. The socket below TLS is
// kept for queries, once the handshake is done.
func (s *socket) init(t *Transport) {
	var raw syscall.RawConn
	var err error
	switch conn := t.rwc.(type) {
	case *net.TCPConn:
		raw, err = conn.SyscallConn()
	case *net.UnixConn:
		raw, err = conn.SyscallConn()
	case *tls.Conn:
		if tcp, ok := conn.NetConn().(*net.TCPConn); ok && conn.ConnectionState().HandshakeComplete {
			if raw, err = tcp.SyscallConn(); err == nil {
				s.raw = raw
			}
		}
		return
	default:
		return
	}
	if err != nil {
		return
	}
	s.raw = raw
	s.onReadable = t.tryRead
}

func (s *socket) usable() bool { return s.onReadable != nil }

// belowTLS reports whether the stream is TLS over a socket.
func (s *socket) belowTLS() bool { return s.raw != nil && s.onReadable == nil }

// read reads available bytes. If there are none, it waits for some, or returns 0 and nil
// if the reader does not wait. An expired deadline is an error.
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
		t.noInput() // no buffer is needed while no bytes arrive
		return !t.wait
	case err != nil:
		s.readErr = err
	default:
		s.readErr = io.EOF
	}
	return true
}

// write writes header and then payload, as far as the system takes them without blocking.
// It returns the number of bytes written. header may be empty.
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
