//go:build !js

package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const mebibyte = 1 << 20

// allocates fails the test if f allocates more than bound bytes in all, whether they are freed or not:
// more than f ever holds. The peer's part is included.
func allocates(t *testing.T, bound uint64, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	took := after.TotalAlloc - before.TotalAlloc
	if took > bound {
		t.Errorf("it took %.1f MiB of memory, want at most %.1f", float64(took)/mebibyte, float64(bound)/mebibyte)
	}
	t.Logf("it took %.1f MiB of memory; the bound is %.1f", float64(took)/mebibyte, float64(bound)/mebibyte)
}

// A flood of DATA frames without data takes no memory, and does not delay the message behind it. Neither
// do frames of padding around one byte each.
func TestHTTP2EmptyFrames(t *testing.T) {
	leak.Check(t)
	e := server.Handler(echo, nil)
	f := dialFramer(t, startHTTP2(t, e, nil), 1<<16)
	id, _ := f.open()
	empty := bytes.Repeat(binary.BigEndian.AppendUint32([]byte{0, 0, 0, byte(http2.FrameData), 0}, id), 1000)
	allocates(t, 24*mebibyte, func() {
		for range 200 {
			if _, err := f.conn.Write(empty); err != nil {
				t.Fatal(err)
			}
		}
		f.must(f.WriteData(id, false, masked(1, "hello")))
		f.awaitEcho(id, "hello")
	})
	padding := make([]byte, 255)
	for range 1000 { // more than the window of the stream, if padding were not given back
		f.must(f.WriteDataPadded(id, false, masked(1, "x")[:3], padding))
		f.must(f.WriteDataPadded(id, false, nil, padding))
		f.must(f.WriteDataPadded(id, false, masked(1, "x")[3:], padding))
		f.awaitEcho(id, "x")
	}
	f.conn.Close()
	mustShutdown(t, e)
}

// A peer that never gives window holds SendBuffer and the message that waits, until the pings that it does
// not get are overdue. Its stream is then reset.
func TestHTTP2WindowIsNeverOpened(t *testing.T) {
	leak.Check(t)
	for _, window := range []uint32{0, 1, 1000} {
		t.Run(fmt.Sprint(window, " bytes"), func(t *testing.T) {
			ends := make(ends, 1)
			sends := make(chan error, 1)
			e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
				if conn.URL().Path == "/echo" {
					return echo(ctx, conn)
				}
				message := ws.Binary(make([]byte, 64<<10))
				for {
					if err := conn.Send(ctx, message); err != nil {
						sends <- err
						return ends.serve(ctx, conn)
					}
				}
			}, &server.Options{SendBuffer: 128 << 10, PingInterval: 100 * time.Millisecond, PingTimeout: 100 * time.Millisecond, CloseTimeout: 100 * time.Millisecond})
			f := dialFramer(t, startHTTP2(t, e, nil), window)
			allocates(t, 2*mebibyte, func() {
				id, _ := f.open()
				if closed := ends.await(t); closed == nil || closed.Reason != errors.PolicyViolation || closed.Message != "Ping/Pong timeout" {
					t.Errorf("the connection ended with %v", closed)
				}
				if err := <-sends; !errors.Is(err, errors.PolicyViolation) {
					t.Errorf("Send = %v", err)
				}
				f.awaitReset(id)
			})
			f.conn.Close()
			mustShutdown(t, e)
		})
	}
}

// A window of one byte at a time delivers everything, and so does one that SETTINGS open later.
func TestHTTP2SmallWindows(t *testing.T) {
	e := server.Handler(echo, nil)
	s := startHTTP2(t, e, nil)
	f := dialFramer(t, s, 1)
	id, _ := f.open()
	f.must(f.WriteData(id, false, masked(1, "hello")))
	var got []byte
	f.await("the echo", func(frame http2.Frame) bool {
		if data, ok := frame.(*http2.DataFrame); ok && data.StreamID == id {
			if len(data.Data()) > 1 {
				t.Fatalf("%d bytes came in a window of 1", len(data.Data()))
			}
			got = append(got, data.Data()...)
			f.must(f.WriteWindowUpdate(id, 1))
		}
		return len(got) == 7
	})
	if string(got) != "\x81\x05hello" {
		t.Errorf("the echo is %x", got)
	}
	f.conn.Close()

	f = dialFramer(t, s, 0)
	id, _ = f.open()
	f.must(f.WriteData(id, false, masked(1, "hello")))
	f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3}))
	f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})) // what is left may be negative
	f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 100}))
	f.awaitEcho(id, "hello")
	f.conn.Close()
	mustShutdown(t, e)
}

// net/http queues the window of a stream behind the stream's own output. So a peer that reads nothing until
// its own message is taken gets no more window than it had, although the server has received everything.
func TestHTTP2WindowWaitsBehindOutput(t *testing.T) {
	leak.Check(t)
	received := make(chan int, 1)
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		if err := conn.Send(ctx, ws.Binary(make([]byte, 20_000))); err != nil {
			return err
		}
		m, err := conn.Receive(ctx)
		received <- len(m.Data)
		if err != nil {
			return err
		}
		return echo(ctx, conn)
	}, nil)
	f := dialFramer(t, startHTTP2(t, e, nil), 1000)
	id, _ := f.open()
	const size = 900_000 // below net/http's window
	message := append([]byte{0x82, 0xff, 0, 0, 0, 0, 0, size >> 16, size >> 8 & 0xff, size & 0xff, 0, 0, 0, 0}, make([]byte, size)...)
	for len(message) > 0 {
		n := min(len(message), 16<<10)
		f.must(f.WriteData(id, false, message[:n]))
		message = message[n:]
	}
	if n := <-received; n != size {
		t.Fatalf("the server received %d bytes", n)
	}
	granted := func(frame http2.Frame) bool {
		update, ok := frame.(*http2.WindowUpdateFrame)
		return ok && update.StreamID == id
	}
	for i := range 2 { // the answer to the first may overtake what was queued
		data := [8]byte{byte(i)}
		f.must(f.WritePing(false, data))
		f.await("PING", func(frame http2.Frame) bool {
			if granted(frame) {
				t.Fatal("net/http grants window to a stream whose output waits: say so in docs/http2.md, and remove peersWindow of ws/wstest")
			}
			ping, ok := frame.(*http2.PingFrame)
			return ok && ping.IsAck() && ping.Data == data
		})
	}
	f.must(f.WriteWindowUpdate(id, 1<<16))
	f.await("window", granted)
	f.conn.Close()
	mustShutdown(t, e)
}

// Handshakes that are reset at once hold nothing: net/http runs as many handlers as it allows streams, and
// ends a connection with too many waiting. Other connections are served.
func TestHTTP2RapidReset(t *testing.T) {
	leak.Check(t)
	var handlers, most atomic.Int64
	e := server.Handler(echo, &server.Options{Limits: &server.Limits{MaxConnections: -1}})
	s := startHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for n := handlers.Add(1); ; {
			if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		defer handlers.Add(-1)
		e.ServeHTTP(w, r)
	}), func(s *http.Server) { s.ErrorLog = nil })
	f := dialFramer(t, s, 1<<16)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(io.Discard, f.conn)
	}()
	const resets = 5000
	sent := 0
	allocates(t, 256*mebibyte, func() {
		for ; sent < resets; sent++ {
			f.headers(f.next, false)
			if f.WriteRSTStream(f.next, http2.ErrCodeCancel) != nil {
				break // the server has had enough
			}
			f.next += 2
		}
		f.conn.Close()
		<-drained
		waitUntil(t, "nothing is left", func() bool { return handlers.Load() == 0 && e.Len() == 0 })
	})
	limit := int64(f.settings[http2.SettingMaxConcurrentStreams])
	if most := most.Load(); limit == 0 || most > limit {
		t.Errorf("%d handlers ran at a time, want at most %d", most, limit)
	}
	t.Logf("%d of %d handshakes were sent, %d handlers ran at a time", sent, resets, most.Load())
	f = dialFramer(t, s, 1<<16)
	id, _ := f.open()
	f.must(f.WriteData(id, false, masked(1, "hello")))
	f.awaitEcho(id, "hello")
	f.conn.Close()
	mustShutdown(t, e)
	if stats := e.Stats(); stats.Open != 0 || stats.Accepted+stats.Unanswered > resets+1 {
		t.Errorf("%d are open, %d were accepted, %d not answered", stats.Open, stats.Accepted, stats.Unanswered)
	}
}

// Trailers end a stream as END_STREAM does. Such that break HTTP/2 end it as a reset, and the other streams
// go on.
func TestHTTP2Trailers(t *testing.T) {
	leak.Check(t)
	message := masked(1, "hello")
	for _, test := range []struct {
		name      string
		sent      []byte
		endStream bool
		fields    []string
		cause     error // nil: another one
	}{
		{"between messages", message, true, []string{"x-trailer", "1"}, io.EOF},
		{"in the middle of a message", message[:8], true, []string{"x-trailer", "1"}, io.ErrUnexpectedEOF},
		{"that do not end the stream", message, false, []string{"x-trailer", "1"}, nil},
		{"with a pseudo-header", message, true, []string{":path", "/other"}, nil},
		{"that are a second handshake", message, false, []string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/", ":authority", "localhost"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			ends := make(ends, 1)
			e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
				if conn.Request().Header.Get("X-Other") != "" {
					return echo(ctx, conn)
				}
				return ends.serve(ctx, conn)
			}, nil)
			f := dialFramer(t, startHTTP2(t, e, nil), 1<<16)
			other, _ := f.open("x-other", "1")
			id, _ := f.open()
			waitUntil(t, "the functions run", func() bool { return e.Len() == 2 })
			f.must(f.WriteData(id, false, test.sent))
			if len(test.sent) == len(message) {
				f.awaitEcho(id, "hello")
			}
			f.fields(id, test.endStream, test.fields...)
			closed := ends.await(t)
			if closed == nil || closed.Reason != errors.AbnormalClosure || closed.Remote || closed.Err == nil || test.cause != nil && !errors.Is(closed.Err, test.cause) {
				t.Errorf("the connection ended with %v (%v), want 1006 and %v", closed, closed.Err, test.cause)
			}
			f.must(f.WriteData(other, false, message))
			f.awaitEcho(other, "hello")
			f.conn.Close()
			mustShutdown(t, e)
		})
	}
}
