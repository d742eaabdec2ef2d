package stream

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// TestMemory: Memory reports the memory that a connection holds, and that it is released.
func TestMemory(t *testing.T) {
	random := make([]byte, 20_000)
	rand.Read(random)
	type ends struct {
		c         net.Conn
		conn      *ws.Conn
		transport *Transport
	}
	for name, test := range map[string]struct {
		deflate     *rfc6455.DeflateParams
		fill        func(t *testing.T, e ends)
		least, most int // held then
		drain       func(t *testing.T, e ends)
		after       int // held at most
	}{
		"nothing": {nil, func(*testing.T, ends) {}, 0, 0, func(*testing.T, ends) {}, 0},
		"messages that wait to be received": {nil, func(t *testing.T, e ends) {
			go func() {
				for range 10 {
					e.c.Write(frame(0x82, true, random))
				}
			}()
			time.Sleep(time.Second) // until a background reader has started
		}, 200_000, 210_000, func(t *testing.T, e ends) {
			for range 10 {
				e.conn.Receive(context.Background())
			}
		}, 0},
		"messages that wait to be sent": {nil, func(t *testing.T, e ends) {
			for range 10 {
				e.conn.Send(context.Background(), ws.Binary(random))
			}
		}, 200_000, 210_000, func(t *testing.T, e ends) {
			go io.Copy(io.Discard, e.c)
			e.conn.Flush(context.Background())
		}, 0},
		"a part of a message": {nil, func(t *testing.T, e ends) {
			go e.c.Write(frame(0x82, true, make([]byte, 500_000))[:300_000])
			time.Sleep(time.Second)
		}, 300_000, 600_000, func(t *testing.T, e ends) {
			go e.c.Write(make([]byte, 200_014))
			e.conn.Receive(context.Background())
			e.transport.TryReceive(nil)
			time.Sleep(time.Second)
		}, 0},
		"compression": {&rfc6455.DeflateParams{}, func(t *testing.T, e ends) {
			go io.Copy(io.Discard, e.c)
			for i := range 40 {
				e.conn.Send(context.Background(), ws.Text(document(i)))
				time.Sleep(10 * time.Millisecond)
			}
		}, 1 << 20, 1<<20 + 20_000, func(t *testing.T, e ends) {
			time.Sleep(3 * restAfter)
		}, 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := net.Pipe()
				transport := New(s, Options{Role: rfc6455.Server, Deflate: test.deflate, Traffic: new(Traffic)})
				conn := ws.NewConn(transport, nil)
				test.fill(t, ends{c, conn, transport})
				if n := transport.Memory(); n < test.least || n > test.most {
					t.Errorf("Memory = %d, want %d to %d", n, test.least, test.most)
				}
				test.drain(t, ends{c, conn, transport})
				synctest.Wait()
				if n := transport.Memory(); n > test.after {
					t.Errorf("then Memory = %d, want at most %d", n, test.after)
				}
				c.Close()
				conn.CloseNow(errors.NormalClosure, "")
				transport.closed.Wait()
			})
		})
	}
}

// TestMemoryOfACompressedMessage: the received part of the message is held, and then the window.
func TestMemoryOfACompressedMessage(t *testing.T) {
	random := make([]byte, 200_000)
	rand.Read(random)
	synctest.Test(t, func(t *testing.T) {
		deflate := &rfc6455.DeflateParams{}
		var e rfc6455.Encoder
		e.Init(rfc6455.Client, deflate, rfc6455.DeflatePolicy{Level: 1})
		message, _ := e.AppendMessage(nil, rfc6455.OpBinary, random)
		c, s := net.Pipe()
		transport := New(s, Options{Role: rfc6455.Server, Deflate: deflate, Traffic: new(Traffic)})
		conn := ws.NewConn(transport, nil)
		go c.Write(message[:150_000])
		time.Sleep(time.Second)
		if n := transport.Memory(); n < 150_000 || n > 500_000 {
			t.Errorf("Memory = %d after 150,000 bytes", n)
		}
		go c.Write(message[150_000:])
		if _, err := conn.Receive(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if n := transport.Memory(); n < 30_000 || n > 40_000 {
			t.Errorf("then Memory = %d, want 32 KiB", n)
		}
		c.Close()
		conn.CloseNow(errors.NormalClosure, "")
		transport.closed.Wait()
	})
}
