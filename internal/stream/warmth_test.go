package stream

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// document is a text of 1 KiB that resembles others, and compresses to much less.
func document(i int) string {
	return strings.Repeat(fmt.Sprintf(`{"id":%d,"name":"isosocket","at":%d}`, i, 7919*i), 40)[:1<<10]
}

// compressing runs a pair of connections in a bubble, and ends with a closing handshake.
// pass sends message i from the server to the client, where it must arrive.
func compressing(t *testing.T, deflate rfc6455.DeflateParams, test func(server *Transport, pass func(i int))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		o := Options{Role: rfc6455.Server, Deflate: &deflate}
		transport := New(s, o)
		o.Role = rfc6455.Client
		client, server := ws.NewConn(New(c, o), nil), ws.NewConn(transport, nil)
		test(transport, func(i int) {
			t.Helper()
			sendOrReport(t, server, ws.Text(document(i)))
			mustReceive(t, client, document(i))
			synctest.Wait()
		})
		go server.Receive(context.Background())
		if err := client.Close(errors.NormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
		time.Sleep(3 * restAfter)
		if transport.warmth != cold {
			t.Error("the timer runs after the end")
		}
	})
}

func (w *writer) holds() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.encoder.Holds()
}

// TestCompressorIsHeldWhileMessagesFollow: the compressor is held from the second message within
// a second until no message was sent for a while.
func TestCompressorIsHeldWhileMessagesFollow(t *testing.T) {
	compressing(t, rfc6455.DeflateParams{}, func(server *Transport, pass func(int)) {
		for round := range 2 {
			if pass(round); server.holds() {
				t.Errorf("round %d: held after a message without a close predecessor", round)
			}
			for i := range 15 {
				time.Sleep(restAfter / 10)
				if pass(i); !server.holds() {
					t.Errorf("round %d: not held after message %d of a close sequence", round, i)
				}
			}
			time.Sleep(restAfter * 9 / 10)
			if !server.holds() {
				t.Errorf("round %d: released too early", round)
			}
			time.Sleep(2*restAfter + beat)
			if server.holds() {
				t.Errorf("round %d: held after a pause", round)
			}
		}
	})
}

// TestCompressorIsNotHeldForLoneMessages: lone messages are still compressed with the context of
// earlier ones.
func TestCompressorIsNotHeldForLoneMessages(t *testing.T) {
	compressing(t, rfc6455.DeflateParams{}, func(server *Transport, pass func(int)) {
		for i := range 8 {
			if pass(i); server.holds() {
				t.Errorf("held after message %d", i)
			}
			time.Sleep(2*restAfter + beat)
		}
	})
}

// TestCompressorIsHeldBetweenPrepared: a broadcast makes the next message independent of earlier
// ones, also after a pause.
func TestCompressorIsHeldBetweenPrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		o := Options{Role: rfc6455.Server, Deflate: &rfc6455.DeflateParams{}}
		transport := New(s, o)
		o.Role = rfc6455.Client
		client, server := ws.NewConn(New(c, o), nil), ws.NewConn(transport, nil)
		shared := ws.Prepare(ws.Text(document(1)))
		for i := range 12 {
			sendOrReport(t, server, ws.Text(document(i)))
			mustReceive(t, client, document(i))
			sendOrReport(t, server, ws.Text(document(i)+"!"))
			mustReceive(t, client, document(i)+"!")
			if i%2 == 0 {
				if err := server.SendPrepared(t.Context(), shared); err != nil {
					t.Fatal(err)
				}
				if transport.holds() {
					t.Error("held after a prepared message")
				}
				mustReceive(t, client, document(1))
			}
			time.Sleep(time.Duration(i%4) * restAfter)
		}
		go server.Receive(context.Background())
		if err := client.Close(errors.NormalClosure, ""); err != nil {
			t.Errorf("Close: %v", err)
		}
		time.Sleep(3 * restAfter)
	})
}

// TestMemoryOfIdleConnections: both windows of a connection are full, and it was busy before.
// Without context takeover, it takes as much as a connection without compression.
func TestMemoryOfIdleConnections(t *testing.T) {
	const connections = 8
	each := func(t *testing.T, deflate *rfc6455.DeflateParams) (bytes int64) {
		synctest.Test(t, func(t *testing.T) {
			heap := func() int64 {
				for range 3 { // the second collection empties the pools
					runtime.GC()
				}
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc)
			}
			before := heap()
			var conns []*ws.Conn
			for range connections {
				c, s := net.Pipe()
				o := Options{Deflate: deflate}
				client := ws.NewConn(New(c, o), nil)
				o.Role = rfc6455.Server
				server := ws.NewConn(New(s, o), nil)
				conns = append(conns, client, server)
				buf := make([]byte, 0, 2<<10)
				for i := range 40 {
					sendOrReport(t, server, ws.Text(document(i)))
					m, err := client.ReceiveInto(t.Context(), buf)
					if err != nil {
						t.Fatal(err)
					}
					sendOrReport(t, client, m)
					if _, err := server.ReceiveInto(t.Context(), buf); err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(3 * restAfter)
			bytes = (heap() - before) / (2 * connections)
			for i := 0; i < len(conns); i += 2 {
				go conns[i+1].Receive(context.Background())
				if err := conns[i].Close(errors.NormalClosure, ""); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			time.Sleep(3 * restAfter)
		})
		return bytes
	}
	// What earlier tests have left is freed at any time, and would be taken for memory of these
	// connections. Memory that they hold is there in each round.
	for round := 1; ; round++ {
		plain := each(t, nil)
		isolated := each(t, &rfc6455.DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true})
		takeover := each(t, &rfc6455.DeflateParams{})
		t.Logf("bytes a connection: plain %d, without takeover %d, with takeover %d", plain, isolated, takeover)
		if isolated <= plain+1<<10 && takeover <= plain+50<<10 {
			return
		}
		if round == 5 {
			t.Fatalf("an idle connection takes %d bytes without compression, %d without takeover, and %d with it", plain, isolated, takeover)
		}
	}
}
