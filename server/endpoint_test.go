//go:build !js

package server_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

func dial(t *testing.T, s *httptest.Server, o *isosocket.DialOptions) *ws.Conn {
	t.Helper()
	conn, err := isosocket.Dial(timeout(t), s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(errors.NormalClosure, "") })
	return conn
}

// assertEnd waits for the end of conn.
func assertEnd(t *testing.T, conn *ws.Conn, reason errors.CloseReason, message string) {
	t.Helper()
	for {
		_, err := conn.Receive(timeout(t))
		if err == nil {
			continue
		}
		closed, ok := errors.AsType[*errors.ConnectionClosed](err)
		if !ok || closed.Reason != reason || closed.Message != message || !closed.Remote {
			t.Errorf("the connection ended with %v, want %v %q from the peer", err, reason, message)
		}
		return
	}
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// withoutEnd returns the log without its one line about the end of a connection, which it
// checks.
func (l *logBuffer) withoutEnd(t *testing.T, reason errors.CloseReason, message string, byPeer bool) string {
	t.Helper()
	rest, ends := "", 0
	for line := range strings.Lines(l.String()) {
		if !strings.Contains(line, `level=DEBUG msg="websocket: connection ended"`) {
			rest += line
			continue
		}
		ends++
		for _, want := range []string{fmt.Sprintf(" reason=%q", reason), fmt.Sprint(" byPeer=", byPeer), " remote=127.0.0.1:", message} {
			if !strings.Contains(line, want) {
				t.Errorf("the end is logged as %q, want %s in it", line, want)
			}
		}
	}
	if ends != 1 {
		t.Errorf("%d lines about the end of the connection, want one: %q", ends, l.String())
	}
	return rest
}

func TestReturnValueClosesTheConnection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		serve   func(ctx context.Context, conn *server.Conn) error
		reason  errors.CloseReason
		message string
		logged  []string // nil for nothing
	}{
		{"nil", func(context.Context, *server.Conn) error { return nil }, errors.NormalClosure, "", nil},
		{"an error", func(context.Context, *server.Conn) error { return io.ErrNoProgress },
			errors.InternalError, "internal error", []string{"level=ERROR", "multiple Read calls", "path=/chat", "remote="}},
		{"a close reason", func(context.Context, *server.Conn) error { return errors.TryAgainLater }, errors.TryAgainLater, "", nil},
		{"a wrapped close reason", func(context.Context, *server.Conn) error { return fmt.Errorf("token: %w", errors.CloseReason(4001)) }, 4001, "token", nil},
		{"a close reason before its text", func(context.Context, *server.Conn) error {
			return fmt.Errorf("%w: token expired", errors.CloseReason(4001))
		}, 4001, "token expired", nil},
		{"a close reason wrapped twice", func(context.Context, *server.Conn) error {
			return fmt.Errorf("login: %w", fmt.Errorf("token: %w", errors.CloseReason(4001)))
		}, 4001, "login: token", nil},
		{"a close reason beside a secret", func(context.Context, *server.Conn) error {
			return errors.Join(errors.New("secret"), errors.CloseReason(4001))
		}, 4001, "", nil},
		{"an end with a message", func(context.Context, *server.Conn) error {
			return fmt.Errorf("login: %w", &errors.ConnectionClosed{Reason: 4003, Message: "token expired"})
		}, 4003, "token expired", nil},
		{"an end that may not be sent", func(context.Context, *server.Conn) error {
			return &errors.ConnectionClosed{Reason: errors.AbnormalClosure, Message: "secret"}
		}, errors.InternalError, "internal error", []string{"1006"}},
		{"a close reason that may not be sent", func(context.Context, *server.Conn) error { return errors.AbnormalClosure },
			errors.InternalError, "internal error", []string{"1006"}},
		{"an end of another connection", func(context.Context, *server.Conn) error {
			return &errors.ConnectionClosed{Reason: 4002, Message: "secret", Remote: true}
		}, errors.InternalError, "internal error", []string{"4002"}},
		{"a panic", func(context.Context, *server.Conn) error { panic("boom") },
			errors.InternalError, "internal error", []string{"level=ERROR", "panic=boom", "endpoint_test.go", "path=/chat"}},
		{"a panic that is not worth a word", func(context.Context, *server.Conn) error { panic(http.ErrAbortHandler) },
			errors.InternalError, "internal error", nil},
		{"the end of the goroutine", func(context.Context, *server.Conn) error { runtime.Goexit(); return nil },
			errors.InternalError, "internal error", nil},
		{"its own close", func(_ context.Context, conn *server.Conn) error {
			conn.Close(4003, "signed out")
			return io.ErrNoProgress
		}, 4003, "signed out", []string{"multiple Read calls"}},
		{"its own close, and then a Receive", func(ctx context.Context, conn *server.Conn) error {
			conn.Close(4003, "signed out")
			_, err := conn.Receive(ctx)
			return fmt.Errorf("read: %w", err)
		}, 4003, "signed out", nil},
		{"its own close, and then the context's error", func(ctx context.Context, conn *server.Conn) error {
			conn.Close(4003, "signed out")
			return ctx.Err()
		}, 4003, "signed out", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var logged logBuffer
			e, s := startEndpoint(t, test.serve, &server.Options{Logger: logged.logger()})
			s.URL += "/chat?token=secret"
			assertEnd(t, dial(t, s, nil), test.reason, test.message)
			mustShutdown(t, e) // the function has returned, and all is logged
			rest := logged.withoutEnd(t, test.reason, test.message, false)
			for _, want := range test.logged {
				if !strings.Contains(rest, want) {
					t.Errorf("the log is %q, want %q in it", rest, want)
				}
			}
			if test.logged == nil && rest != "" || strings.Contains(logged.String(), "token") && strings.Contains(logged.String(), "?") {
				t.Errorf("the log is %q", logged.String())
			}
		})
	}
}

func TestPanicWithoutALoggerGoesToTheServersLog(t *testing.T) {
	t.Parallel()
	var logged logBuffer
	e := server.Handler(func(context.Context, *server.Conn) error { panic("boom") }, nil)
	s := httptest.NewUnstartedServer(e)
	s.Config.ErrorLog = log.New(&logged, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	assertEnd(t, dial(t, s, nil), errors.InternalError, "internal error")
	mustShutdown(t, e)
	if got := logged.String(); !strings.Contains(got, "websocket: panic serving 127.0.0.1:") || !strings.Contains(got, ": boom\n") || !strings.Contains(got, "endpoint_test.go") {
		t.Errorf("the log is %q", got)
	}
}

// A refusal that a change of the configuration would prevent must not be silent.
func TestAdviceWithoutALoggerGoesToTheServersLog(t *testing.T) {
	t.Parallel()
	var logged logBuffer
	s := httptest.NewUnstartedServer(server.Handler(echo, nil))
	s.Config.ErrorLog = log.New(&logged, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	for range 2 {
		roundTrip(t, s, with("Origin: https://app.example"))
		roundTrip(t, s, with("Connection: close", "Upgrade:"))
		roundTrip(t, s, with("Sec-WebSocket-Key: short"))
	}
	lines := strings.Split(strings.TrimSpace(logged.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `Add the pattern "https://app.example"`) || !strings.Contains(lines[1], "proxy_set_header Upgrade") {
		t.Errorf("the log is %q", lines)
	}
}

func TestRefusalsAreLogged(t *testing.T) {
	t.Parallel()
	var logged logBuffer
	_, s := startEndpoint(t, echo, &server.Options{Logger: logged.logger()})
	roundTrip(t, s, with("Sec-WebSocket-Key: short"))
	if got := logged.String(); !strings.Contains(got, "level=DEBUG") || !strings.Contains(got, "status=400") || !strings.Contains(got, "not 16 bytes") {
		t.Errorf("the log is %q", got)
	}
	_, s = startEndpoint(t, echo, &server.Options{Logger: logged.logger(), Subprotocols: []string{""}})
	roundTrip(t, s, goodRequest)
	if got := logged.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "status=500") || !strings.Contains(got, "not a token") {
		t.Errorf("the log is %q", got)
	}
}

// A function usually returns the error with which Receive reports that the peer has closed.
func TestPeerClosesAndOnlyTheEndIsLogged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		serve func(ctx context.Context, conn *server.Conn) error
	}{
		{"echo", echo},
		{"wrapped", func(ctx context.Context, conn *server.Conn) error {
			_, err := conn.Receive(context.Background())
			return fmt.Errorf("read: %w", err)
		}},
		{"waits for the context", func(ctx context.Context, conn *server.Conn) error {
			<-ctx.Done()
			return ctx.Err()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var logged logBuffer
			e, s := startEndpoint(t, test.serve, &server.Options{Logger: logged.logger()})
			if err := dial(t, s, nil).Close(4000, "gone"); err != nil {
				t.Error(err)
			}
			mustShutdown(t, e)
			if rest := logged.withoutEnd(t, 4000, "gone", true); rest != "" {
				t.Errorf("the log is %q", rest)
			}
		})
	}
}

func TestEndsAreLogged(t *testing.T) {
	t.Parallel()
	var logged logBuffer
	e, s := startEndpoint(t, echo, &server.Options{Logger: logged.logger()})
	s.URL += "/chat?token=secret"
	conn := dial(t, s, nil)
	for range 3 {
		if err := conn.Send(t.Context(), ws.Text("hello")); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 { // the function cannot answer a message after it has noticed the close
		if _, err := conn.Receive(timeout(t)); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close(4000, "gone")
	mustShutdown(t, e)
	got := logged.String()
	for _, want := range []string{
		"level=DEBUG msg=\"websocket: connection ended\" reason=\"4000 (", "message=gone", "byPeer=true", "duration=", "received=3", "sent=3", "remote=127.0.0.1:", "path=/chat",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the log is %q, want %q in it", got, want)
		}
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "error=") {
		t.Errorf("the log is %q", got)
	}

	var cut logBuffer
	e, s = startEndpoint(t, echo, &server.Options{Logger: cut.logger()})
	_, raw, _ := roundTrip(t, s, goodRequest, 0x81) // half a header
	raw.Close()
	// The function may begin only after the answer has been read, so wait for its record.
	for end := timeout(t); cut.String() == "" && end.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	mustShutdown(t, e)
	for _, want := range []string{"reason=\"1006 (", "byPeer=false", "error=\"unexpected EOF\""} {
		if got := cut.String(); !strings.Contains(got, want) {
			t.Errorf("the log is %q, want %q in it", got, want)
		}
	}
}

type contextKey struct{}

func TestHandlerContext(t *testing.T) {
	t.Parallel()
	type seen struct {
		value any
		err   error
		cause error
	}
	got := make(chan seen, 1)
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		before := ctx.Err() // the request has ended by now, or ends soon
		m, err := conn.Receive(ctx)
		if err != nil || m.String() != "hello" {
			t.Errorf("Receive = %q, %v", m, err)
		}
		if before != nil || ctx.Err() != nil {
			t.Errorf("the context has ended with the request: %v, %v", before, ctx.Err())
		}
		conn.Send(ctx, m)
		<-ctx.Done()
		got <- seen{ctx.Value(contextKey{}), ctx.Err(), context.Cause(ctx)}
		return nil
	}, nil)
	t.Cleanup(func() { mustShutdown(t, e) })
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, "user 7")))
	}))
	conn := dial(t, s, nil)
	conn.Send(timeout(t), ws.Text("hello"))
	if _, err := conn.Receive(timeout(t)); err != nil {
		t.Fatal(err)
	}
	conn.Close(4000, "gone")
	end := <-got
	closed, ok := errors.AsType[*errors.ConnectionClosed](end.cause)
	if end.value != "user 7" || end.err != context.Canceled || !ok || closed.Reason != 4000 || closed.Message != "gone" || !closed.Remote {
		t.Errorf("value %v, Err %v, Cause %v", end.value, end.err, end.cause)
	}
}

func TestMessagesBeforeTheEndAreReceivedWithTheHandlersContext(t *testing.T) {
	t.Parallel()
	received := make(chan int, 1)
	e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		<-ctx.Done() // ctx ends first
		n := 0
		for _, err := range conn.Messages(ctx) {
			if err != nil {
				received <- n
				return err
			}
			n++
		}
		return nil
	}, nil)
	conn := dial(t, s, nil)
	for range 20 {
		conn.Send(timeout(t), ws.Text("hello"))
	}
	conn.Close(4000, "")
	if n := <-received; n != 20 {
		t.Errorf("%d messages of 20 were received", n)
	}
	mustShutdown(t, e)
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	const clients = 20
	e, s := startEndpoint(t, echo, nil)
	var conns []*ws.Conn
	for range clients {
		conn := dial(t, s, nil)
		conn.Send(timeout(t), ws.Text("hello"))
		if _, err := conn.Receive(timeout(t)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if e.Len() != clients {
		t.Errorf("Len = %d, want %d", e.Len(), clients)
	}
	var clientsDone sync.WaitGroup
	for _, conn := range conns {
		clientsDone.Go(func() { assertEnd(t, conn, errors.GoingAway, "server shutting down") })
	}
	mustShutdown(t, e)
	if e.Len() != 0 {
		t.Errorf("after Shutdown, Len = %d", e.Len())
	}
	clientsDone.Wait()
	mustShutdown(t, e) // a second call succeeds

	_, err := isosocket.Dial(timeout(t), s.URL, nil)
	refused, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok || refused.StatusCode != 503 || !strings.Contains(err.Error(), "This WebSocket endpoint is shutting down.") {
		t.Errorf("after Shutdown, Dial = %v", err)
	}
	response, _, _ := roundTrip(t, s, with("Origin: http://example.com"))
	if response.StatusCode != 503 || response.Header.Get("Access-Control-Allow-Origin") != "http://example.com" {
		t.Errorf("status %d, header %v", response.StatusCode, response.Header)
	}
	response, _, _ = roundTrip(t, s, with("Origin: http://evil.example"))
	if response.StatusCode != 503 || response.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("status %d, header %v", response.StatusCode, response.Header)
	}
}

func TestShutdownOfNothing(t *testing.T) {
	t.Parallel()
	e := server.Handler(echo, nil)
	ended, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := e.Shutdown(ended); err != nil {
		t.Error(err)
	}
}

func TestShutdownWaitsForFunctions(t *testing.T) {
	t.Parallel()
	release, running := make(chan struct{}), make(chan struct{})
	e, s := startEndpoint(t, func(context.Context, *server.Conn) error {
		close(running)
		<-release
		return nil
	}, nil)
	conn := dial(t, s, nil)
	<-running
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Shutdown(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 connection is still being served") {
		t.Errorf("Shutdown = %v", err)
	}
	assertEnd(t, conn, errors.GoingAway, "server shutting down")
	close(release)
	mustShutdown(t, e)
}

// Handshakes that race with Shutdown are refused or closed with 1001, without exception.
func TestShutdownWhileClientsConnect(t *testing.T) {
	t.Parallel()
	for range 10 {
		var serving atomic.Int32
		e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
			serving.Add(1)
			defer serving.Add(-1)
			return echo(ctx, conn)
		}, nil)
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				conn, err := isosocket.Dial(timeout(t), s.URL, nil)
				if err != nil {
					if refused, ok := errors.AsType[*errors.ConnectionError](err); !ok || refused.StatusCode != 503 {
						t.Errorf("Dial = %v", err)
					}
					return
				}
				assertEnd(t, conn, errors.GoingAway, "server shutting down")
				conn.Close(errors.NormalClosure, "")
			})
		}
		mustShutdown(t, e)
		if n := serving.Load(); n != 0 {
			t.Errorf("after Shutdown %d functions are running", n)
		}
		clients.Wait()
	}
}

// An independent client sends messages of many sizes, with and without compression.
func TestClientOfAnotherLibrary(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, &server.Options{
		Compression: &ws.Compression{ContextTakeover: true}, Subprotocols: []string{"echo"},
	})
	for name, mode := range map[string]websocket.CompressionMode{
		"plain": websocket.CompressionDisabled, "no takeover": websocket.CompressionNoContextTakeover, "takeover": websocket.CompressionContextTakeover,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, _, err := websocket.Dial(timeout(t), s.URL, &websocket.DialOptions{CompressionMode: mode, CompressionThreshold: 1, Subprotocols: []string{"echo"}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.CloseNow()
			conn.SetReadLimit(1 << 20)
			if conn.Subprotocol() != "echo" {
				t.Errorf("Subprotocol = %q", conn.Subprotocol())
			}
			for _, size := range []int{0, 1, 125, 126, 4096, 65535, 65536, 300_000} {
				want := bytes.Repeat([]byte("isosocket "), size/10+1)[:size]
				if err := conn.Write(timeout(t), websocket.MessageBinary, want); err != nil {
					t.Fatal(err)
				}
				kind, got, err := conn.Read(timeout(t))
				if err != nil || kind != websocket.MessageBinary || !bytes.Equal(got, want) {
					t.Fatalf("the echo of %d bytes is %v of %d bytes, %v", size, kind, len(got), err)
				}
			}
			if err := conn.Close(websocket.StatusNormalClosure, "done"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPingsByDefault(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, &server.Options{PingInterval: 10 * time.Millisecond, PingTimeout: 20 * time.Millisecond})
	response, conn, reader := roundTrip(t, s, goodRequest)
	if response.StatusCode != 101 {
		t.Fatalf("status %d", response.StatusCode)
	}
	// A peer that only reads gets a ping, and then the end of its connection.
	got, err := io.ReadAll(reader)
	if err != nil || len(got) < 2 || got[0] != 0x89 || !strings.HasSuffix(string(got), "\x03\xf0Ping/Pong timeout") {
		t.Errorf("got %q, %v", got, err)
	}
	conn.Close()
}

func TestHeartbeatIsAnswered(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, &server.Options{AnswerHeartbeat: &ws.Heartbeat{}})
	conn := dial(t, s, nil)
	conn.Send(timeout(t), ws.Text("\x05"))
	if m, err := conn.Receive(timeout(t)); err != nil || m.String() != "\x06" {
		t.Errorf("Receive = %q, %v", m, err)
	}
}

// With a function that only sends, heartbeats were once unanswered, and clients considered
// the link broken.
func TestHeartbeatIsAnsweredWhereNobodyReceives(t *testing.T) {
	t.Parallel()
	received := make(chan ws.Message)
	_, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		<-received
		for {
			m, err := conn.Receive(ctx)
			if err != nil {
				return err
			}
			received <- m
		}
	}, &server.Options{AnswerHeartbeat: &ws.Heartbeat{}})
	conn := dial(t, s, nil)
	ctx := timeout(t)
	answered := func() {
		t.Helper()
		if m, err := conn.Receive(ctx); err != nil || m.String() != "\x06" {
			t.Fatalf("Receive = %q, %v", m, err)
		}
	}
	for range 2 {
		conn.Send(ctx, ws.Text("\x05"))
		answered()
	}
	// An answer means that all earlier messages were received, which is not yet so.
	conn.Send(ctx, ws.Text("first"))
	conn.Send(ctx, ws.Text("\x05"))
	time.Sleep(300 * time.Millisecond)
	if m, ok, err := conn.TryReceive(); ok || err != nil {
		t.Fatalf("TryReceive = %q, %v, %v", m, ok, err)
	}
	received <- ws.Message{}
	if m := <-received; m.String() != "first" {
		t.Errorf("the server received %q", m)
	}
	answered()
}

// Shutdown does not wait for a handshake that ended in a panic.
func TestPanicInTheHandshake(t *testing.T) {
	t.Parallel()
	e, s := startEndpoint(t, echo, &server.Options{
		ChooseSubprotocol: func(*http.Request, []string) string { panic("boom") },
	})
	if _, err := isosocket.Dial(timeout(t), s.URL, &isosocket.DialOptions{Subprotocols: []string{"a"}}); err == nil {
		t.Error("Dial succeeded")
	}
	mustShutdown(t, e)
}

// noDeadlines is a connection without deadlines.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (noDeadlines) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (noDeadlines) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

type hijackedWithout struct{ http.ResponseWriter }

func (h hijackedWithout) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	return noDeadlines{conn}, buffered, err
}

// TestConnectionWithoutDeadlines: neither the handshake nor the connection needs deadlines.
func TestConnectionWithoutDeadlines(t *testing.T) {
	t.Parallel()
	e := server.Handler(echo, nil)
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.ServeHTTP(hijackedWithout{w}, r)
	}))
	t.Cleanup(func() { mustShutdown(t, e) })
	conn := dial(t, s, nil)
	if err := conn.Send(timeout(t), ws.Text("hello")); err != nil {
		t.Fatal(err)
	}
	if m, err := conn.Receive(timeout(t)); err != nil || m.String() != "hello" {
		t.Errorf("Receive = %q, %v", m, err)
	}
}

func TestMaxFragments(t *testing.T) {
	t.Parallel()
	// Masked empty frames: a first one, n-2 continuations, and a last one.
	frames := func(n int) []byte {
		return []byte("\x01\x80\x00\x00\x00\x00" + strings.Repeat("\x00\x80\x00\x00\x00\x00", n-2) + "\x80\x80\x00\x00\x00\x00")
	}
	for _, test := range []struct {
		name string
		max  int
		sent int
		want []byte // the beginning of the answer
	}{
		{"a bound", 3, 3, []byte{0x81, 0}},
		{"over a bound", 3, 4, []byte{0x88}},
		{"over the default", 0, 100_001, []byte{0x88}},
		{"no bound", -1, 100_001, []byte{0x81, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, s := startEndpoint(t, echo, &server.Options{MaxFragments: test.max, CloseTimeout: time.Second})
			_, conn, reader := roundTrip(t, s, goodRequest)
			go conn.Write(frames(test.sent))
			answer := make([]byte, 4)
			if _, err := io.ReadFull(reader, answer[:len(test.want)]); err != nil || !bytes.HasPrefix(answer, test.want) {
				t.Fatalf("the answer begins with %x, %v, want %x", answer, err, test.want)
			}
			if test.want[0] == 0x88 {
				io.ReadFull(reader, answer[1:])
				if reason := errors.CloseReason(uint16(answer[2])<<8 | uint16(answer[3])); reason != errors.PolicyViolation {
					t.Errorf("closed with %v, want 1008", reason)
				}
			}
		})
	}
}
