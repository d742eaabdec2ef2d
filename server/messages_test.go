//go:build !js

package server_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

func sendBack(ctx context.Context, conn *server.Conn, m ws.Message) error { return conn.Send(ctx, m) }

// quickly is the time after which connections park in most of these tests.
const quickly = 20 * time.Millisecond

// startMessages serves an endpoint made by Messages. Its connections park quickly if the
// system supports that.
func startMessages(t *testing.T, handle func(context.Context, *server.Conn, ws.Message) error, o *server.Options) (*server.Endpoint, *httptest.Server) {
	t.Helper()
	e := server.Messages(handle, o)
	if o != nil && o.Detach {
		e.ParkAfter(quickly)
	}
	s := start(t, e)
	t.Cleanup(func() { mustShutdown(t, e) })
	return e, s
}

// waitUntil waits until a condition holds.
func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func mustEcho(t *testing.T, conn *ws.Conn, text string) {
	t.Helper()
	if err := conn.Send(timeout(t), ws.Text(text)); err != nil {
		t.Fatal(err)
	}
	if m, err := conn.Receive(timeout(t)); err != nil || m.String() != text {
		t.Fatalf("Receive = %q, %v, want %q", m, err, text)
	}
}

func canPark() bool { return runtime.GOOS == "linux" }

// parkedConn returns a connection that has echoed a message and is parked, if the system
// supports that.
func parkedConn(t *testing.T, e *server.Endpoint, s *httptest.Server, o *isosocket.DialOptions) *ws.Conn {
	t.Helper()
	conn := dial(t, s, o)
	mustEcho(t, conn, "first")
	if canPark() {
		waitUntil(t, "the connection is parked", func() bool { return e.Active() == 0 })
	}
	return conn
}

// There may be very many parked connections.
func TestParkingMakesNoContext(t *testing.T) {
	t.Parallel()
	e, s := startMessages(t, sendBack, &server.Options{Detach: true})
	conn := parkedConn(t, e, s, nil)
	if n := e.MadeContexts(); n != 0 {
		t.Errorf("the standard library made a context for %d parked connections, want none", n)
	}
	mustEcho(t, conn, "second")
}

// Messages of growing, large and shrinking sizes in flight together keep their data until handle
// returns, and small ones share memory.
func TestReuseMessages(t *testing.T) {
	t.Parallel()
	for _, detach := range []bool{false, true} {
		for _, reuse := range []bool{false, true} {
			var mu sync.Mutex
			memory := make(map[*byte]bool)
			e, s := startMessages(t, func(ctx context.Context, conn *server.Conn, m ws.Message) error {
				mu.Lock()
				memory[&m.Data[0]] = true
				mu.Unlock()
				return conn.Send(ctx, m)
			}, &server.Options{Detach: detach, ReuseMessages: reuse})
			conn := dial(t, s, nil)
			sizes := []int{100, 10, 100, 70_000, 20, 60_000, 60_000, 5}
			for range 200 {
				sizes = append(sizes, 50)
			}
			for i, size := range sizes {
				if err := conn.Send(timeout(t), ws.Text(strings.Repeat(string(rune('a'+i%26)), size))); err != nil {
					t.Fatal(err)
				}
			}
			for i, size := range sizes {
				m, err := conn.Receive(timeout(t))
				if err != nil || m.String() != strings.Repeat(string(rune('a'+i%26)), size) {
					t.Fatalf("message %d: %d bytes, %v, want %d of %c", i, len(m.Data), err, size, 'a'+i%26)
				}
			}
			mu.Lock()
			n := len(memory)
			mu.Unlock()
			// A connection that is parked between two messages gives its buffer back, so their number is not certain.
			if most := len(sizes) / 2; reuse && n > most || !reuse && n != len(sizes) {
				t.Errorf("Detach %v, ReuseMessages %v: %d places in memory for %d messages, want at most %d with ReuseMessages", detach, reuse, n, len(sizes), most)
			}
			if detach && canPark() {
				waitUntil(t, "the connection is parked", func() bool { return e.Active() == 0 })
			}
			mustEcho(t, conn, "after a silence")
		}
	}
}

func TestMessagesEcho(t *testing.T) {
	t.Parallel()
	for _, o := range []*server.Options{nil, {Detach: true}, {Detach: true, Compression: &ws.Compression{ContextTakeover: true}}} {
		e, s := startMessages(t, sendBack, o)
		conn := dial(t, s, &isosocket.DialOptions{Compression: &ws.Compression{ContextTakeover: true}})
		for i := range 20 {
			mustEcho(t, conn, strings.Repeat(fmt.Sprint(i), i*50))
			if i%5 == 0 && o != nil && canPark() {
				waitUntil(t, "the connection is parked", func() bool { return e.Active() == 0 })
			}
		}
		conn.Close(errors.NormalClosure, "")
		waitUntil(t, "the connection has ended", func() bool { return e.Len() == 0 })
	}
}

// A parked connection has no goroutine.
func TestParkedConnectionsHaveNoGoroutine(t *testing.T) {
	if !canPark() {
		t.Skip("connections are parked on Linux only")
	}
	const n = 50
	e := server.Messages(sendBack, &server.Options{Detach: true}) // parks after a second at most
	s := start(t, e)
	var conns []*ws.Conn
	for range n {
		conn := dial(t, s, nil)
		mustEcho(t, conn, "x")
		conns = append(conns, conn)
	}
	waitUntil(t, "all are parked", func() bool { return e.Active() == 0 })
	waitUntil(t, "no goroutine is left for a connection", func() bool {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		return !strings.Contains(string(stacks), "messageLoop")
	})
	for _, conn := range conns {
		mustEcho(t, conn, "y")
	}
	mustShutdown(t, e)
}

// Messages are handled one at a time and in order, whenever they arrive, and none is lost.
func TestMessagesInOrderWhileParking(t *testing.T) {
	t.Parallel()
	const clients, messages = 20, 300
	var handling [clients]atomic.Int32
	var next [clients]atomic.Uint32
	e := server.Messages(func(ctx context.Context, conn *server.Conn, m ws.Message) error {
		client, number := binary.BigEndian.Uint32(m.Data), binary.BigEndian.Uint32(m.Data[4:])
		if handling[client].Add(1) != 1 {
			t.Errorf("client %d: two messages at the same time", client)
		}
		if want := next[client].Add(1) - 1; number != want {
			t.Errorf("client %d: message %d, want %d", client, number, want)
		}
		if number%50 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		handling[client].Add(-1)
		return conn.Send(ctx, m)
	}, &server.Options{Detach: true, PingInterval: 3 * time.Millisecond, PingTimeout: 20 * time.Second})
	e.ParkAfter(time.Millisecond)
	s := start(t, e)
	var all sync.WaitGroup
	for i := range clients {
		conn := dial(t, s, nil)
		all.Go(func() {
			for n := range messages {
				if rand.IntN(4) == 0 {
					time.Sleep(time.Duration(rand.IntN(6)) * time.Millisecond)
				}
				data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(i)), uint32(n))
				if err := conn.Send(timeout(t), ws.Binary(data)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		all.Go(func() {
			for range messages {
				if _, err := conn.Receive(timeout(t)); err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
			}
		})
	}
	all.Wait()
	mustShutdown(t, e)
}

// Ends of a parked connection, caused by either side.
func TestEndsOfAParkedConnection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end     func(e *server.Endpoint, conn *ws.Conn)
		reason  errors.CloseReason
		message string
	}{
		"Shutdown": {func(e *server.Endpoint, _ *ws.Conn) { mustShutdown(t, e) }, errors.GoingAway, "server shutting down"},
		"Drain": {func(e *server.Endpoint, _ *ws.Conn) {
			if err := e.Drain(timeout(t), &server.DrainOptions{Spread: -1}); err != nil {
				t.Error(err)
			}
		}, errors.ServiceRestart, "server restarting"},
		"an error": {func(_ *server.Endpoint, conn *ws.Conn) { conn.Send(timeout(t), ws.Text("error")) }, errors.InternalError, "internal error"},
		"a reason": {func(_ *server.Endpoint, conn *ws.Conn) { conn.Send(timeout(t), ws.Text("reason")) }, 4001, "because"},
		"a panic":  {func(_ *server.Endpoint, conn *ws.Conn) { conn.Send(timeout(t), ws.Text("panic")) }, errors.InternalError, "internal error"},
		"Goexit":   {func(_ *server.Endpoint, conn *ws.Conn) { conn.Send(timeout(t), ws.Text("exit")) }, errors.InternalError, "internal error"},
		"Close":    {func(_ *server.Endpoint, conn *ws.Conn) { conn.Send(timeout(t), ws.Text("close later")) }, 4002, "later"},
		"CloseNow": {func(_ *server.Endpoint, conn *ws.Conn) { conn.Send(timeout(t), ws.Text("close now later")) }, 4003, "now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var logged logBuffer
			e, s := startMessages(t, func(ctx context.Context, conn *server.Conn, m ws.Message) error {
				switch m.String() {
				case "error":
					return errors.New("boom")
				case "reason":
					return &errors.ConnectionClosed{Reason: 4001, Message: "because"}
				case "panic":
					panic("boom")
				case "exit":
					runtime.Goexit()
				case "close later":
					time.AfterFunc(5*quickly, func() { conn.Close(4002, "later") })
					return nil
				case "close now later":
					time.AfterFunc(5*quickly, func() { conn.CloseNow(4003, "now") })
					return nil
				}
				return conn.Send(ctx, m)
			}, &server.Options{Detach: true, Logger: logged.logger()})
			conn := parkedConn(t, e, s, nil)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				assertEnd(t, conn, test.reason, test.message)
			}()
			test.end(e, conn)
			<-ended
			waitUntil(t, "the endpoint has no connection", func() bool { return e.Len() == 0 })
		})
	}
}

// The peer ends a parked connection, with and without a close frame.
func TestPeerEndsAParkedConnection(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		ended := make(chan *errors.ConnectionClosed, 1)
		e := server.Messages(sendBack, &server.Options{Detach: true, Observer: &server.Observer{
			ConnectionEnd: func(_ context.Context, _ *server.Conn, r server.ConnectionResult) { ended <- r.Closed },
		}})
		e.ParkAfter(quickly)
		s := start(t, e)
		response, raw, in := roundTrip(t, s, goodRequest)
		if response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(response.Status)
		}
		raw.Write([]byte{0x81, 0x81, 0, 0, 0, 0, 'x'})
		if _, err := in.Peek(3); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "the connection is parked", func() bool { return !canPark() || e.Active() == 0 })
		want := errors.AbnormalClosure
		if cut {
			raw.Close()
		} else {
			raw.Write([]byte{0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xa1})
			want = 4001
		}
		if closed := <-ended; closed.Reason != want {
			t.Errorf("cut %v: ended with %v", cut, closed)
		}
		mustShutdown(t, e)
	}
}

// Pings find a dead peer that is parked, and keep one that answers.
func TestPingsWhileParked(t *testing.T) {
	t.Parallel()
	ended := make(chan *errors.ConnectionClosed, 2)
	e, s := startMessages(t, sendBack, &server.Options{Detach: true, PingInterval: 100 * time.Millisecond, PingTimeout: 2 * time.Second,
		Observer: &server.Observer{ConnectionEnd: func(_ context.Context, _ *server.Conn, r server.ConnectionResult) { ended <- r.Closed }}})
	alive := dial(t, s, nil)
	mustEcho(t, alive, "x")
	_, raw, _ := roundTrip(t, s, goodRequest)
	began := time.Now()
	raw.Write([]byte{0x81, 0x81, 0, 0, 0, 0, 'x'})
	if closed := <-ended; closed.Reason != errors.PolicyViolation || closed.Message != ws.PingTimeoutMessage {
		t.Errorf("the dead peer ended with %v", closed)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("after %v", d)
	}
	mustEcho(t, alive, "y") // after more than the timeout
	if e.Len() != 1 {
		t.Errorf("%d connections", e.Len())
	}
}

// A client's heartbeat is answered while its connection is parked.
func TestHeartbeatWhileParked(t *testing.T) {
	t.Parallel()
	e, s := startMessages(t, sendBack, &server.Options{Detach: true, PingInterval: -1})
	conn := parkedConn(t, e, s, &isosocket.DialOptions{Heartbeat: &ws.Heartbeat{Every: 60 * time.Millisecond, Timeout: 5 * time.Second}})
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		confirmed := make(chan error, 1)
		go func() { confirmed <- conn.Confirm(ctx) }()
		got, stop := context.WithCancel(ctx)
		go func() {
			for {
				if _, err := conn.Receive(got); err != nil {
					return
				}
			}
		}()
		if err := <-confirmed; err != nil {
			t.Error(err)
		}
		stop()
		cancel()
		time.Sleep(3 * quickly)
	}
}

// Connections that cannot be parked behave the same.
func TestMessagesOverTLS(t *testing.T) {
	t.Parallel()
	e := server.Messages(sendBack, &server.Options{Detach: true})
	s := httptest.NewTLSServer(e)
	t.Cleanup(s.Close)
	conn := dial(t, s, &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: s.Client()}})
	mustEcho(t, conn, "x")
	mustEcho(t, conn, "y")
	mustShutdown(t, e)
}

// The error of handle is the connection's end, with and without a goroutine of its own.
func TestMessagesEndWithTheErrorOfHandle(t *testing.T) {
	t.Parallel()
	for _, detach := range []bool{false, true} {
		_, s := startMessages(t, func(context.Context, *server.Conn, ws.Message) error { return errors.CloseReason(4321) }, &server.Options{Detach: detach})
		conn := dial(t, s, nil)
		if err := conn.Send(timeout(t), ws.Text("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Receive(timeout(t)); !errors.Is(err, errors.CloseReason(4321)) {
			t.Errorf("Detach %v: Receive = %v", detach, err)
		}
	}
}
