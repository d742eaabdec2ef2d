package http2stream

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Outlet is the output of a Stream.
type Outlet interface {
	// Write sends p, and returns when it needs p no longer. Calls are not concurrent.
	io.Writer
	// Abort resets the stream, so that a Write that waits for the peer returns.
	Abort()
}

// The sizes of a read of the body: the first while little arrives, because a stream that waits
// holds such a buffer; the second after a read that filled its buffer.
const (
	smallRead = 2 << 10
	largeRead = 32 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return &buffer{data: make([]byte, smallRead)} }}
	largeBuffers = sync.Pool{New: func() any { return &buffer{data: make([]byte, largeRead)} }}
)

type buffer struct{ data []byte }

func (b *buffer) free() {
	if len(b.data) == smallRead {
		smallBuffers.Put(b)
	} else {
		largeBuffers.Put(b)
	}
}

// Stream is a net.Conn over one stream of HTTP/2. Its methods may be called by many goroutines.
type Stream struct {
	body          io.ReadCloser
	out           Outlet
	local, remote net.Addr

	mu      sync.Mutex
	arrived sync.Cond // there is input, an end, or an interruption
	taken   sync.Cond // the input was taken, or the stream closed
	input   []byte    // what Read returns next, in held
	held    *buffer   // nil if input is empty
	end     error     // what Read returns behind the input
	expired bool      // the read deadline is over
	timer   *time.Timer

	writing sync.Mutex
	closing atomic.Bool
	done    chan struct{} // closed by Close
}

var _ net.Conn = (*Stream)(nil)

// New returns the stream that reads body and writes out. Its Pump must be called. The addresses
// may be nil.
func New(body io.ReadCloser, out Outlet, local, remote net.Addr) *Stream {
	s := &Stream{body: body, out: out, local: local, remote: remote, done: make(chan struct{})}
	s.arrived.L, s.taken.L = &s.mu, &s.mu
	return s
}

// Pump reads the body until it ends, then waits for Close. On a server it runs on the goroutine of
// the HTTP handler, whose return ends the stream.
func (s *Stream) Pump() {
	sizes := &smallBuffers
	for {
		b := sizes.Get().(*buffer)
		n, err := s.body.Read(b.data)
		if !s.offer(b, n, err) || err != nil {
			break
		}
		if n == len(b.data) {
			sizes = &largeBuffers
		} else {
			sizes = &smallBuffers
		}
	}
	<-s.done
}

// offer makes n bytes of b available to Read, after those before them were taken, and reports
// whether the stream is still open.
func (s *Stream) offer(b *buffer, n int, end error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.held != nil && s.end == nil {
		s.taken.Wait()
	}
	if s.end != nil {
		b.free()
		return false
	}
	if n > 0 {
		s.held, s.input = b, b.data[:n]
	} else {
		b.free()
	}
	s.end = end
	s.arrived.Broadcast()
	return true
}

// Read returns bytes of the body. A deadline interrupts it, and has no effect on the stream.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.expired:
			return 0, os.ErrDeadlineExceeded
		case s.held != nil:
			n := copy(p, s.input)
			if s.input = s.input[n:]; len(s.input) == 0 {
				s.drop()
			}
			return n, nil
		case s.end != nil:
			return 0, s.end
		}
		s.arrived.Wait()
	}
}

// drop frees the input. mu is held.
func (s *Stream) drop() {
	if s.held != nil {
		s.held.free()
		s.held, s.input = nil, nil
		s.taken.Broadcast()
	}
}

// Write sends p, which takes until the peer's window has space for it.
func (s *Stream) Write(p []byte) (int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closing.Load() {
		return 0, net.ErrClosed
	}
	return s.out.Write(p)
}

// Close ends the stream. A Write that waits for the peer fails, and the stream is then reset.
// Otherwise the peer reads everything that was written, and then the end. Pump returns.
func (s *Stream) Close() error {
	if !s.closing.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	if !s.writing.TryLock() {
		s.out.Abort()
		s.writing.Lock()
	}
	s.writing.Unlock()
	s.mu.Lock()
	s.drop()
	s.end = net.ErrClosed
	if s.timer != nil {
		s.timer.Stop()
	}
	s.arrived.Broadcast()
	s.taken.Broadcast()
	s.mu.Unlock()
	err := s.body.Close() // a read under way returns
	close(s.done)
	return err
}

// CloseWrite is Close: net/http cannot end one direction alone. Unlike a socket, a stream that is
// closed with unread input still delivers its output.
func (s *Stream) CloseWrite() error { return s.Close() }

// Done is closed by Close.
func (s *Stream) Done() <-chan struct{} { return s.done }

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	wait := time.Until(t)
	s.expired = !t.IsZero() && wait <= 0
	if s.expired {
		s.arrived.Broadcast()
	} else if !t.IsZero() {
		var timer *time.Timer
		timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.timer == timer {
				s.expired = true
				s.arrived.Broadcast()
			}
		})
		s.timer = timer
	}
	return nil
}

// SetWriteDeadline returns an error: a Write that is interrupted ends the stream, which Close does.
func (s *Stream) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// SetDeadline returns an error, as SetWriteDeadline does.
func (s *Stream) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// LocalAddr returns the local address of the connection that carries the stream.
func (s *Stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr returns the peer's address.
func (s *Stream) RemoteAddr() net.Addr { return s.remote }
