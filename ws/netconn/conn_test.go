package netconn_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
	"github.com/isosocket/isosocket/ws/netconn"
)

// TestPipe runs the conformance tests of net.Conn over Conns in memory. With the small
// buffer, writes have to wait.
func TestPipe(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		a, b := ws.Pipe(&ws.Config{SendBuffer: 64 << 10}, &ws.Config{SendBuffer: 64 << 10})
		c1, c2 = netconn.New(a, nil), netconn.New(b, nil)
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}

// pair returns a net.Conn and the connection at its other end.
func pair(t *testing.T, o *netconn.Options) (net.Conn, *ws.Conn) {
	t.Helper()
	a, b := ws.Pipe(nil, nil)
	c := netconn.New(a, o)
	t.Cleanup(func() {
		c.Close()
		b.Close(errors.NormalClosure, "")
	})
	return c, b
}

func TestWriteCutsMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		messageSize int
		write       int
		want        []int
	}{
		{"default", 0, 2*netconn.DefaultMessageSize + 1, []int{netconn.DefaultMessageSize, netconn.DefaultMessageSize, 1}},
		{"fits", 10, 10, []int{10}},
		{"does not fit", 10, 11, []int{10, 1}},
		{"no limit", -1, 100_000, []int{100_000}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, peer := pair(t, &netconn.Options{MessageSize: tt.messageSize})
			data := bytes.Repeat([]byte("0123456789"), tt.write/10+1)[:tt.write]
			if n, err := c.Write(data); n != tt.write || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
			var all []byte
			for _, size := range tt.want {
				m, err := peer.Receive(t.Context())
				if err != nil || m.Kind != ws.KindBinary || len(m.Data) != size {
					t.Fatalf("a %v message of %d bytes, %v, want %d bytes", m.Kind, len(m.Data), err, size)
				}
				all = append(all, m.Data...)
			}
			if !bytes.Equal(all, data) {
				t.Error("the bytes that arrived are not the ones that were written")
			}
		})
	}
}

// TestNothingIsWritten checks that an empty Write sends no message.
func TestNothingIsWritten(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, nil)
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Fatalf("Write(nil) = %d, %v", n, err)
	}
	if m, ok, err := peer.TryReceive(); ok || err != nil {
		t.Errorf("the peer received %q, %v", m, err)
	}
}

// TestReadCutsMessages checks that a message is read in as many pieces as the buffer
// needs, and that an empty message yields no bytes.
func TestReadCutsMessages(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, nil)
	for _, s := range []string{"", "abc", "", "defgh", "i"} {
		if err := peer.Send(t.Context(), ws.Binary([]byte(s))); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v", n, err)
	}
	for _, want := range []string{"abc", "defg", "h", "i"} {
		p := make([]byte, 4)
		n, err := c.Read(p)
		if string(p[:n]) != want || err != nil {
			t.Errorf("Read = %q, %v, want %q", p[:n], err, want)
		}
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		end    func(c net.Conn, peer *ws.Conn)
		unread string // of the messages that the peer had sent before
		check  func(error) bool
	}{
		{"the peer closes with 1000", func(_ net.Conn, peer *ws.Conn) { peer.Close(errors.NormalClosure, "") }, "last words",
			func(err error) bool { return err == io.EOF }},
		{"the peer goes away", func(_ net.Conn, peer *ws.Conn) { peer.Close(errors.GoingAway, "") }, "last words",
			func(err error) bool { return err != io.EOF && errors.Is(err, errors.GoingAway) }},
		{"the peer fails", func(_ net.Conn, peer *ws.Conn) { peer.Close(errors.InternalError, "") }, "last words",
			func(err error) bool { return errors.Is(err, errors.InternalError) }},
		{"this side closes", func(c net.Conn, _ *ws.Conn) { c.Close() }, "",
			func(err error) bool { return errors.Is(err, net.ErrClosed) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, peer := pair(t, nil)
			if err := peer.Send(t.Context(), ws.Binary([]byte("last words"))); err != nil {
				t.Fatal(err)
			}
			tt.end(c, peer)
			data, err := readToEnd(c)
			if string(data) != tt.unread || !tt.check(err) {
				t.Errorf("read %q, %v", data, err)
			}
			if _, err := c.Write([]byte("x")); err == nil || err == io.EOF {
				t.Errorf("Write = %v", err)
			}
		})
	}
}

// readToEnd is io.ReadAll that returns the io.EOF, too.
func readToEnd(r io.Reader) (data []byte, err error) {
	p := make([]byte, 4)
	for err == nil {
		var n int
		n, err = r.Read(p)
		data = append(data, p[:n]...)
	}
	return data, err
}

func TestTextClosesTheStream(t *testing.T) {
	t.Parallel()
	c, peer := pair(t, nil)
	if err := peer.Send(t.Context(), ws.Text("hello")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("Read = %d, %v", n, err)
	}
	if _, err := peer.Receive(t.Context()); !errors.Is(err, errors.UnsupportedData) {
		t.Errorf("the peer sees %v, want 1003", err)
	}
}

// stubborn is a connection whose peer sends one text message and never answers a close.
type stubborn struct {
	ending driver.Ending
	text   atomic.Bool
}

func (s *stubborn) Receive(ctx context.Context, buf []byte) (driver.Message, error) {
	if m, ok, _ := s.TryReceive(buf); ok {
		return m, nil
	}
	select {
	case <-ctx.Done():
		return driver.Message{}, ctx.Err()
	case <-s.ending.Done():
		return driver.Message{}, s.ending.Cause()
	}
}

func (s *stubborn) TryReceive(buf []byte) (driver.Message, bool, error) {
	if s.text.Swap(true) {
		return driver.Message{}, false, nil
	}
	return driver.Message{Kind: driver.KindText, Data: append(buf[:0], "hello"...)}, true, nil
}

func (*stubborn) Send(context.Context, driver.Message) error { return nil }
func (*stubborn) Flush(context.Context) error                { return nil }
func (*stubborn) Buffered() int                              { return 0 }
func (s *stubborn) Ending() *driver.Ending                   { return &s.ending }

func (*stubborn) Close(ctx context.Context, _ errors.CloseReason, _ string) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestTextDoesNotMakeReadWait checks that a Read that gets a text message returns at
// once, even if the peer does not answer, and so does the Close after it.
func TestTextDoesNotMakeReadWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := ws.NewConn(&stubborn{}, nil)
		c := netconn.New(conn, nil)
		start := time.Now()
		if n, err := c.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("Read = %d, %v, want an error that is not the end", n, err)
		}
		if _, err := c.Read(make([]byte, 10)); !errors.Is(err, errors.UnsupportedData) {
			t.Errorf("the next Read = %v, want 1003", err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close = %v, want nil", err)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("Read, Read and Close took %v", waited)
		}
	})
}

// TestDeadlines checks that a deadline ends only the wait, and can be moved during it.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := ws.Pipe(&ws.Config{SendBuffer: 10}, nil)
		c := netconn.New(a, nil)
		defer c.Close()
		defer b.Close(errors.NormalClosure, "")

		start := time.Now()
		c.SetDeadline(start.Add(time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v, want ErrDeadlineExceeded", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("Read returned after %v", d)
		}
		failed, ok := errors.AsType[net.Error](func() error { _, err := c.Read(make([]byte, 1)); return err }())
		if !ok || !failed.Timeout() {
			t.Errorf("Read = %v, which is not a timeout", failed)
		}

		// Move the deadline while a Write waits.
		start = time.Now()
		c.SetWriteDeadline(start.Add(time.Second))
		time.AfterFunc(time.Second/2, func() { c.SetWriteDeadline(start.Add(3 * time.Second)) })
		var n int
		var err error
		for err == nil {
			var wrote int
			wrote, err = c.Write(make([]byte, 8))
			n += wrote
		}
		if d := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || d != 3*time.Second {
			t.Errorf("Write = %v after %v", err, d)
		}

		// The connection is unchanged.
		c.SetDeadline(time.Time{})
		received := 0
		for received < n {
			m, err := b.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			received += len(m.Data)
		}
		if _, err := c.Write([]byte("x")); err != nil || received != n {
			t.Errorf("Write = %v after %d of %d bytes were received", err, received, n)
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, nil)
	waiting := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		waiting <- err
	}()
	if err := c.Close(); err != nil {
		t.Errorf("Close = %v, want nil", err)
	}
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read = %v, want ErrClosed", err)
	}
	for name, err := range map[string]error{
		"Close": c.Close(), "SetDeadline": c.SetDeadline(time.Now()),
		"SetReadDeadline": c.SetReadDeadline(time.Now()), "SetWriteDeadline": c.SetWriteDeadline(time.Now()),
	} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close = %v", name, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	c, _ := pair(t, nil)
	if c.LocalAddr().Network() != "websocket" || c.RemoteAddr().String() == "" {
		t.Errorf("addresses %v and %v", c.LocalAddr(), c.RemoteAddr())
	}
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7}
	c, _ = pair(t, &netconn.Options{LocalAddr: addr, RemoteAddr: addr})
	if c.LocalAddr() != addr || c.RemoteAddr() != addr {
		t.Errorf("addresses %v and %v", c.LocalAddr(), c.RemoteAddr())
	}
}
