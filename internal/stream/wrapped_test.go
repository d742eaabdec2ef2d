package stream

import (
	"crypto/tls"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// scrambled changes and counts the bytes that pass through it. It has all methods of the
// socket below, including access to the descriptor.
type scrambled struct {
	*net.TCPConn
	in, out atomic.Int64
}

const scramble = 0x5a

func (c *scrambled) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	for i := range n {
		p[i] ^= scramble
	}
	c.in.Add(int64(n))
	return n, err
}

func (c *scrambled) Write(p []byte) (int, error) {
	p = slices.Clone(p)
	for i := range p {
		p[i] ^= scramble
	}
	n, err := c.TCPConn.Write(p)
	c.out.Add(int64(n))
	return n, err
}

// failingDeadlines is a net.Conn only in its method set.
type failingDeadlines struct{ net.Conn }

func (failingDeadlines) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (failingDeadlines) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (failingDeadlines) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// below returns the connection in s if s hides it.
func below(s io.ReadWriteCloser) io.ReadWriteCloser {
	switch s := s.(type) {
	case bare:
		return s.ReadWriteCloser
	case failingDeadlines:
		return s.Conn
	}
	return s
}

func TestWrapperSeesEveryByte(t *testing.T) {
	c, s := tcpPair(t)
	client, server := &scrambled{TCPConn: c.(*net.TCPConn)}, &scrambled{TCPConn: s.(*net.TCPConn)}
	a, b := connect(t, rfc6455.Client, client, Options{}), connect(t, rfc6455.Server, server, Options{})
	large := string(make([]byte, 200_000))
	for range 3 {
		sendOrReport(t, a, ws.Text(large))
		mustReceive(t, b, large)
		sendOrReport(t, b, ws.Text(large))
		sendOrReport(t, b, ws.Text("small"))
		mustReceive(t, a, large)
		mustReceive(t, a, "small")
	}
	const frames = 3 * (200_000 + 10) // header with 64 bits of length
	// A write is counted after it returns. The peer may have read the bytes by then.
	for waited := 0; waited < 20_000 && (client.out.Load() < frames+3*4 || server.out.Load() < frames+3*7); waited++ {
		time.Sleep(ms)
	}
	if got, want := client.out.Load(), int64(frames+3*4); got != want {
		t.Errorf("the client's wrapper wrote %d bytes, want %d", got, want)
	}
	if got, want := server.out.Load(), int64(frames+3*7); got != want {
		t.Errorf("the server's wrapper wrote %d bytes, want %d", got, want)
	}
	if client.in.Load() != server.out.Load() || server.in.Load() != client.out.Load() {
		t.Errorf("read: %d and %d; written: %d and %d", client.in.Load(), server.in.Load(), server.out.Load(), client.out.Load())
	}
}

// The cause tells where in the stream the end was.
func TestEndOfStream(t *testing.T) {
	large := make([]byte, 50_000)
	for name, test := range map[string]struct {
		sent []byte
		want error
	}{
		"between messages":                      {frame(0x82, false, []byte("whole")), io.EOF},
		"before any":                            {nil, io.EOF},
		"after a ping":                          {frame(0x89, false, []byte("ping")), io.EOF},
		"after a large message":                 {frame(0x82, false, large), io.EOF},
		"inside a header":                       {frame(0x82, false, large)[:3], io.ErrUnexpectedEOF},
		"after the first byte":                  {frame(0x82, false, large)[:1], io.ErrUnexpectedEOF},
		"after a header":                        {frame(0x82, false, large)[:10], io.ErrUnexpectedEOF},
		"inside a small payload":                {frame(0x82, false, []byte("whole"))[:5], io.ErrUnexpectedEOF},
		"inside a large payload":                {frame(0x82, false, large)[:30_000], io.ErrUnexpectedEOF},
		"inside a ping":                         {frame(0x89, false, []byte("ping"))[:4], io.ErrUnexpectedEOF},
		"between two fragments":                 {frame(0x02, false, []byte("first")), io.ErrUnexpectedEOF},
		"between two fragments, after a ping":   {slices.Concat(frame(0x02, false, nil), frame(0x89, false, nil)), io.ErrUnexpectedEOF},
		"inside a second fragment":              {slices.Concat(frame(0x02, false, nil), frame(0x80, false, large)[:20_000]), io.ErrUnexpectedEOF},
		"after a message of fragments":          {slices.Concat(frame(0x02, false, nil), frame(0x80, false, large)), io.EOF},
		"inside a close frame":                  {closeFrame(false, 1000, "bye")[:5], io.ErrUnexpectedEOF},
		"inside the next of a pair of messages": {slices.Concat(frame(0x82, false, nil), frame(0x82, false, nil)[:1]), io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
				client := connect(t, rfc6455.Client, c, Options{})
				go io.Copy(io.Discard, s)
				go func() {
					write(t, s, test.sent)
					// A Close with an unread pong would reset the connection.
					if half, ok := below(s).(interface{ CloseWrite() error }); ok {
						half.CloseWrite()
					} else {
						s.Close()
					}
				}()
				for {
					_, err := client.Receive(within(t))
					if err == nil {
						continue
					}
					closed, ok := errors.AsType[*errors.ConnectionClosed](err)
					if !ok || closed.Reason != errors.AbnormalClosure || closed.Err != test.want {
						t.Errorf("ended with %v, want 1006 with %v", err, test.want)
					}
					break
				}
			})
		})
	}
}

// The same for TLS that ends without close_notify.
func TestEndOfStreamBelowTLS(t *testing.T) {
	for want, sent := range map[error][]byte{
		io.EOF:              frame(0x82, false, []byte("whole")),
		io.ErrUnexpectedEOF: frame(0x82, false, []byte("whole"))[:5],
	} {
		c, s := tlsPair(t)
		client := connect(t, rfc6455.Client, c, Options{})
		write(t, s, sent)
		s.(*tls.Conn).NetConn().(*net.TCPConn).CloseWrite()
		<-client.Done()
		if closed, ok := errors.AsType[*errors.ConnectionClosed](client.Err()); !ok || closed.Err != want {
			t.Errorf("ended with %v, want %v", client.Err(), want)
		}
		s.Close()
	}
}

// A read that returns neither bytes nor an error is not the end.
func TestEmptyReads(t *testing.T) {
	c, s := net.Pipe()
	client := connect(t, rfc6455.Client, c, Options{})
	go func() {
		for range 3 {
			s.Write(nil)
		}
		write(t, s, frame(0x81, false, []byte("here")))
	}()
	mustReceive(t, client, "here")
}
