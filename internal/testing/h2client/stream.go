//go:build !js

package h2client

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// Stream is a net.Conn over one stream.
type Stream struct {
	client   *Client
	id       uint32
	response *http.Response

	// Guarded by client.mu.
	changed sync.Cond // something has arrived, or ended
	input   []byte
	end     error // what Read returns behind the input
	credit  int64 // what may be sent
	unsaid  int   // what was read since the server got window for it last
	reads   deadline
	writes  deadline
	sentEnd bool
	closed  bool
}

// deadline is a deadline of a Stream, which client.mu guards.
type deadline struct {
	expired bool
	timer   *time.Timer
}

// set replaces the deadline by t. wake is called when it is over. s.client.mu is held.
func (s *Stream) set(d *deadline, t time.Time, wake *sync.Cond) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	wait := time.Until(t)
	d.expired = !t.IsZero() && wait <= 0
	if d.expired || t.IsZero() || s.closed {
		wake.Broadcast()
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		if d.timer == timer {
			d.expired = true
			wake.Broadcast()
		}
	})
	d.timer = timer
}

var _ net.Conn = (*Stream)(nil)

// endLocked ends the stream. client.mu is held.
func (s *Stream) endLocked(err error) {
	if s.end == nil {
		s.end = err
	}
	delete(s.client.streams, s.id)
	s.changed.Broadcast()
	s.client.grown.Broadcast()
}

// whole reads the body of the response.
func (s *Stream) whole() (*http.Response, error) {
	body, err := io.ReadAll(s)
	s.response.Body = io.NopCloser(bytes.NewReader(body))
	return s.response, err
}

// Read implements net.Conn. It gives the server window when half of it is used up, as browsers do.
func (s *Stream) Read(p []byte) (int, error) {
	c := s.client
	c.mu.Lock()
	for {
		switch {
		case s.closed:
			c.mu.Unlock()
			return 0, net.ErrClosed
		case s.reads.expired:
			c.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(s.input) > 0:
			n := copy(p, s.input)
			if s.input = s.input[n:]; len(s.input) == 0 {
				s.input = nil
			}
			forStream, forAll := s.consumed(n)
			c.mu.Unlock()
			return n, c.grant(s.id, forStream, forAll)
		case s.end != nil:
			err := s.end
			c.mu.Unlock()
			return 0, err
		}
		s.changed.Wait()
	}
}

// consumed counts n bytes as read, and returns how much window the server gets. client.mu is held.
func (s *Stream) consumed(n int) (forStream, forAll int) {
	c := s.client
	if s.unsaid += n; s.unsaid >= window/2 && s.end == nil {
		forStream, s.unsaid = s.unsaid, 0
	}
	if c.unsaid += n; c.unsaid >= connectionWindow/2 {
		forAll, c.unsaid = c.unsaid, 0
	}
	return forStream, forAll
}

// Write implements net.Conn. It waits until the server's windows have space.
func (s *Stream) Write(p []byte) (int, error) {
	c, sent := s.client, 0
	for sent < len(p) {
		c.mu.Lock()
		for !s.closed && s.end == nil && !s.writes.expired && min(s.credit, c.credit) <= 0 {
			c.grown.Wait()
		}
		if s.writes.expired {
			c.mu.Unlock()
			return sent, os.ErrDeadlineExceeded
		}
		if s.closed || s.end != nil || s.sentEnd {
			c.mu.Unlock()
			return sent, net.ErrClosed
		}
		n := min(int(min(s.credit, c.credit)), len(p)-sent, maxFrame)
		s.credit -= int64(n)
		c.credit -= int64(n)
		c.mu.Unlock()
		if err := c.write(func() error { return c.framer.WriteData(s.id, false, p[sent:sent+n]) }); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// CloseWrite ends the request.
func (s *Stream) CloseWrite() error {
	c := s.client
	c.mu.Lock()
	ended := s.sentEnd || s.end != nil
	s.sentEnd = true
	c.mu.Unlock()
	if ended {
		return nil
	}
	return c.write(func() error { return c.framer.WriteData(s.id, true, nil) })
}

// Close ends the request, so that the server ends the stream. What it still sends is dropped.
func (s *Stream) Close() error {
	err := s.CloseWrite()
	s.drop()
	return err
}

// drop frees what the stream holds.
func (s *Stream) drop() {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	s.closed = true
	c.unsaid += len(s.input)
	s.input = nil
	delete(c.streams, s.id)
	s.set(&s.reads, time.Time{}, &s.changed)
	s.set(&s.writes, time.Time{}, &c.grown)
}

// Reset resets the stream with CANCEL, as a client does whose TCP connection would be reset over
// HTTP/1.1 (RFC 8441, section 5).
func (s *Stream) Reset() error {
	c := s.client
	c.mu.Lock()
	s.endLocked(net.ErrClosed)
	s.sentEnd = true
	c.mu.Unlock()
	err := c.write(func() error { return c.framer.WriteRSTStream(s.id, http2.ErrCodeCancel) })
	s.drop()
	return err
}

// Lose closes the connection that carries the stream, with all others.
func (s *Stream) Lose() error { return s.client.Close() }

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.set(&s.reads, t, &s.changed)
	return nil
}

// SetWriteDeadline implements net.Conn. A Write that it interrupts returns how much was sent, and the
// next one continues.
func (s *Stream) SetWriteDeadline(t time.Time) error {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.set(&s.writes, t, &s.client.grown)
	return nil
}

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error {
	_ = s.SetReadDeadline(t)
	return s.SetWriteDeadline(t)
}

// LocalAddr implements net.Conn.
func (s *Stream) LocalAddr() net.Addr { return s.client.conn.LocalAddr() }

// RemoteAddr implements net.Conn.
func (s *Stream) RemoteAddr() net.Addr { return s.client.conn.RemoteAddr() }
