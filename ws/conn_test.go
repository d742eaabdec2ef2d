package ws_test

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// fakeTransport calls its fields. A nil field must not be called.
type fakeTransport struct {
	ending  driver.Ending
	receive func(ctx context.Context) (driver.Message, error)
	try     func() (driver.Message, bool, error)
	send    func(ctx context.Context, m driver.Message) error
	flush   func(ctx context.Context) error
	close   func(ctx context.Context, reason errors.CloseReason, message string) error
}

func (f *fakeTransport) Receive(ctx context.Context, buf []byte) (driver.Message, error) {
	m, err := f.receive(ctx)
	return m.Into(buf), err
}
func (f *fakeTransport) TryReceive([]byte) (driver.Message, bool, error)  { return f.try() }
func (f *fakeTransport) Send(ctx context.Context, m driver.Message) error { return f.send(ctx, m) }
func (f *fakeTransport) Flush(ctx context.Context) error                  { return f.flush(ctx) }
func (f *fakeTransport) Buffered() int                                    { return 7 }
func (f *fakeTransport) Ending() *driver.Ending                           { return &f.ending }
func (f *fakeTransport) Close(ctx context.Context, r errors.CloseReason, m string) error {
	return f.close(ctx, r, m)
}

func mustClosed(t *testing.T, what string, err error, want errors.ConnectionClosed) {
	t.Helper()
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	if !ok || closed.Reason != want.Reason || closed.Message != want.Message || closed.Remote != want.Remote {
		t.Errorf("%s = %v, want %v", what, err, &want)
	}
}

func TestSendRefusesBeforeTheTransport(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		message ws.Message
		want    error
		says    string
	}{
		{"text that is not UTF-8", ws.Text("\xff"), errors.ErrInvalidUTF8, ""},
		{"too big", ws.Binary(make([]byte, 11)), errors.ErrMessageTooBig, "11 bytes, MaxMessageSize is 10"},
		{"no kind", ws.Message{Data: []byte("x")}, errors.ErrWebSocket, "invalid message kind 0; allowed are KindText and KindBinary"},
		{"kind of a ping", ws.Message{Kind: 9}, errors.ErrWebSocket, "invalid message kind 9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn := ws.NewConn(&fakeTransport{send: func(context.Context, driver.Message) error {
				t.Error("Send called the transport")
				return nil
			}}, &ws.Config{MaxMessageSize: 10})
			err := conn.Send(t.Context(), test.message)
			if !errors.Is(err, test.want) || !errors.Is(err, errors.ErrWebSocket) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Send = %v, want %v with %q", err, test.want, test.says)
			}
			if conn.Err() != nil {
				t.Errorf("Err = %v, want nil", conn.Err())
			}
		})
	}
}

func TestTransportThatFailsWithoutACauseHasLostTheConnection(t *testing.T) {
	t.Parallel()
	fails := &fakeTransport{
		receive: func(context.Context) (driver.Message, error) { return driver.Message{}, io.ErrUnexpectedEOF },
		send:    func(context.Context, driver.Message) error { return io.ErrClosedPipe },
	}
	conn := ws.NewConn(fails, nil)
	_, err := conn.Receive(t.Context())
	mustClosed(t, "Receive", err, errors.ConnectionClosed{Reason: errors.AbnormalClosure})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Receive = %v hides the cause", err)
	}
	// A later failure does not replace the first cause.
	if err := conn.Send(t.Context(), ws.Text("x")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the next Send = %v, want ErrUnexpectedEOF", err)
	}
	select {
	case <-conn.Done():
	default:
		t.Error("Done is open")
	}
}

func TestWaitErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // no context ends before the wait
		wait := &fakeTransport{
			receive: func(ctx context.Context) (driver.Message, error) { <-ctx.Done(); return driver.Message{}, ctx.Err() },
			send:    func(ctx context.Context, _ driver.Message) error { <-ctx.Done(); return ctx.Err() },
			flush:   func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		}
		conn := ws.NewConn(wait, nil)
		why := errors.New("the tab was hidden")
		for name, call := range map[string]func(ctx context.Context) error{
			"receive": func(ctx context.Context) error { _, err := conn.Receive(ctx); return err },
			"send":    func(ctx context.Context) error { return conn.Send(ctx, ws.Text("x")) },
			"flush":   func(ctx context.Context) error { return conn.Flush(ctx) },
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Millisecond, func() { cancel(why) })
			err := call(ctx)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, why) || !errors.Is(err, errors.ErrWebSocket) {
				t.Errorf("%s = %v", name, err)
			}
			if want := "websocket: " + name + ": context canceled: the tab was hidden"; name != "send" && err.Error() != want {
				t.Errorf("%s says %q, want %q", name, err, want)
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
			err = call(ctx)
			stop()
			timeout, ok := err.(interface{ Timeout() bool })
			if !errors.Is(err, context.DeadlineExceeded) || !ok || !timeout.Timeout() {
				t.Errorf("%s, deadline = %v", name, err)
			}
		}
		if conn.Err() != nil {
			t.Errorf("Err = %v: a context ended the connection", conn.Err())
		}
	})
}

func TestOneReceiveAtATime(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	conn := ws.NewConn(&fakeTransport{receive: func(context.Context) (driver.Message, error) {
		close(entered)
		<-leave
		return driver.Message(ws.Text("first")), nil
	}}, nil)
	var wg sync.WaitGroup
	wg.Go(func() {
		if m, err := conn.Receive(t.Context()); err != nil || m.String() != "first" {
			t.Errorf("Receive = %q, %v", m, err)
		}
	})
	<-entered
	if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.ErrConcurrentReceive) {
		t.Errorf("Receive during a Receive = %v, want ErrConcurrentReceive", err)
	}
	if _, err := conn.ReceiveInto(t.Context(), nil); !errors.Is(err, errors.ErrConcurrentReceive) {
		t.Errorf("ReceiveInto during a Receive = %v, want ErrConcurrentReceive", err)
	}
	if _, _, err := conn.TryReceive(); !errors.Is(err, errors.ErrConcurrentReceive) {
		t.Errorf("TryReceive during a Receive = %v, want ErrConcurrentReceive", err)
	}
	close(leave)
	wg.Wait()
	if conn.Err() != nil {
		t.Errorf("Err = %v, want nil", conn.Err())
	}
}

// TestOneTryReceiveAtATime: a Receive during a TryReceive, which a transport's own call shows.
func TestOneTryReceiveAtATime(t *testing.T) {
	t.Parallel()
	transport := &fakeTransport{}
	conn := ws.NewConn(transport, nil)
	transport.try = func() (driver.Message, bool, error) {
		if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.ErrConcurrentReceive) {
			t.Errorf("Receive during a TryReceive = %v, want ErrConcurrentReceive", err)
		}
		if _, _, err := conn.TryReceive(); !errors.Is(err, errors.ErrConcurrentReceive) {
			t.Errorf("TryReceive during another = %v, want ErrConcurrentReceive", err)
		}
		return driver.Message(ws.Text("first")), true, nil
	}
	transport.receive = func(context.Context) (driver.Message, error) { return driver.Message{}, io.EOF }
	if m, ok, err := conn.TryReceive(); !ok || err != nil || m.String() != "first" {
		t.Errorf("TryReceive = %q, %v, %v", m, ok, err)
	}
	if conn.Err() != nil {
		t.Errorf("Err = %v, want nil", conn.Err())
	}
}

func TestEndedContextStillReceivesArrivedMessages(t *testing.T) {
	t.Parallel()
	here := []ws.Message{ws.Text("here")}
	conn := ws.NewConn(&fakeTransport{try: func() (m driver.Message, ok bool, err error) {
		if len(here) > 0 {
			m, ok, here = driver.Message(here[0]), true, nil
		}
		return m, ok, nil
	}}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := conn.Receive(ctx); err != nil || m.String() != "here" {
		t.Errorf("Receive = %q, %v", m, err)
	}
	if _, err := conn.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the next Receive = %v, want context.Canceled", err)
	}
}

func TestCloseMessages(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, message, want string }{
		{"empty", "", ""},
		{"as long as allowed", strings.Repeat("x", 123), strings.Repeat("x", 123)},
		{"longer", strings.Repeat("x", 124), strings.Repeat("x", 123)},
		{"cut in a rune", strings.Repeat("x", 121) + "€€", strings.Repeat("x", 121)},
		{"cut after a rune", strings.Repeat("x", 120) + "€€", strings.Repeat("x", 120) + "€"},
		{"not UTF-8", "a\xffb", "a\uFFFDb"},
		{"longer once replaced", strings.Repeat("a\xff", 60), strings.Repeat("a\uFFFD", 30) + "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var sent string
			conn := ws.NewConn(&fakeTransport{close: func(_ context.Context, _ errors.CloseReason, m string) error {
				sent = m
				return nil
			}}, nil)
			if err := conn.Close(4000, test.message); err != nil || sent != test.want {
				t.Errorf("Close = %v, sent %q, want %q", err, sent, test.want)
			}
			mustClosed(t, "Err", conn.Err(), errors.ConnectionClosed{Reason: 4000, Message: test.want})
		})
	}
}

func TestCloseRefusesReasons(t *testing.T) {
	t.Parallel()
	conn := ws.NewConn(&fakeTransport{}, nil)
	for _, reason := range []errors.CloseReason{0, 999, 1004, 1005, 1006, 1015, 2999, 3901, 3914, 5000, 65535} {
		err := conn.Close(reason, "")
		if !errors.Is(err, errors.ErrInvalidCloseReason) || !strings.Contains(err.Error(), "allowed are 1000-1003") {
			t.Errorf("Close(%d) = %v", reason, err)
		}
	}
	if conn.Err() != nil {
		t.Errorf("Err = %v, want nil", conn.Err())
	}
}

func TestCloseResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn := ws.NewConn(&fakeTransport{close: func(ctx context.Context, _ errors.CloseReason, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}}, nil)
		start := time.Now()
		err := conn.Close(errors.NormalClosure, "bye")
		if took := time.Since(start); took != ws.DefaultCloseTimeout {
			t.Errorf("Close took %v", took)
		}
		mustClosed(t, "Close", err, errors.ConnectionClosed{Reason: errors.AbnormalClosure, Message: "the peer did not answer the close in time"})
		mustClosed(t, "Err", conn.Err(), errors.ConnectionClosed{Reason: errors.NormalClosure, Message: "bye"})
		if again := conn.Close(errors.GoingAway, ""); again != err {
			t.Errorf("a second Close = %v, want the error of the first", again)
		}
	})

	conn := ws.NewConn(&fakeTransport{close: func(context.Context, errors.CloseReason, string) error { return io.ErrUnexpectedEOF }}, nil)
	err := conn.Close(errors.NormalClosure, "bye")
	mustClosed(t, "Close of a link that breaks", err, errors.ConnectionClosed{Reason: errors.AbnormalClosure, Message: "the connection was lost while closing"})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("Close = %v hides the cause", err)
	}

	gone := &fakeTransport{close: func(context.Context, errors.CloseReason, string) error { return io.ErrUnexpectedEOF }}
	conn = ws.NewConn(gone, nil)
	gone.ending.Set(&errors.ConnectionClosed{Reason: 4001, Remote: true})
	if err := conn.Close(errors.NormalClosure, "bye"); err != nil {
		t.Errorf("Close after the peer's close = %v, want nil", err)
	}
	mustClosed(t, "Err", conn.Err(), errors.ConnectionClosed{Reason: 4001, Remote: true})
}

// The close frame has the reason that Err returns, even if another call set it.
func TestCloseAfterLocalEnd(t *testing.T) {
	t.Parallel()
	var sent errors.CloseReason
	ending := &fakeTransport{close: func(_ context.Context, reason errors.CloseReason, _ string) error {
		sent = reason
		return nil
	}}
	conn := ws.NewConn(ending, nil)
	ending.ending.Set(&errors.ConnectionClosed{Reason: 4003, Message: "now"})
	if err := conn.Close(errors.NormalClosure, ""); err != nil || sent != 4003 {
		t.Errorf("Close = %v and sent %v, want nil and 4003", err, sent)
	}
}

func TestNothingComesAfterTheLocalClose(t *testing.T) {
	t.Parallel()
	f := &fakeTransport{close: func(context.Context, errors.CloseReason, string) error { return nil }}
	conn := ws.NewConn(f, nil)
	entered, closed := make(chan struct{}), make(chan struct{})
	f.receive = func(context.Context) (driver.Message, error) {
		close(entered)
		<-closed
		return driver.Message(ws.Text("too late")), nil
	}
	received := make(chan error)
	go func() {
		m, err := conn.Receive(context.Background())
		if m.Data != nil {
			t.Errorf("Receive = %q after Close", m)
		}
		received <- err
	}()
	<-entered
	if err := conn.Close(errors.NormalClosure, "done"); err != nil {
		t.Fatal(err)
	}
	close(closed)
	want := errors.ConnectionClosed{Reason: errors.NormalClosure, Message: "done"}
	mustClosed(t, "Receive that was under way", <-received, want)
	_, err := conn.Receive(t.Context())
	mustClosed(t, "Receive", err, want)
	_, _, err = conn.TryReceive()
	mustClosed(t, "TryReceive", err, want)
	mustClosed(t, "Send", conn.Send(t.Context(), ws.Text("x")), want)
}

func TestMessages(t *testing.T) {
	t.Parallel()
	a, b := ws.Pipe(nil, nil)
	for _, s := range []string{"one", "two", "three"} {
		if err := a.Send(t.Context(), ws.Text(s)); err != nil {
			t.Fatal(err)
		}
	}
	for m, err := range b.Messages(t.Context()) {
		if err != nil || m.String() != "one" {
			t.Errorf("%q, %v", m, err)
		}
		break // the next loop gets the remaining messages
	}
	_ = a.Close(errors.NormalClosure, "")
	var got []string
	for m, err := range b.Messages(t.Context()) {
		if err != nil {
			t.Errorf("Messages yielded %v after a normal closure", err)
		}
		got = append(got, m.String())
	}
	if strings.Join(got, " ") != "two three" {
		t.Errorf("got %q", got)
	}
}

func TestReceiveIntoUsesTheBuffer(t *testing.T) {
	t.Parallel()
	a, b := ws.Pipe(nil, nil)
	buf := make([]byte, 3, 8)
	for _, s := range []string{"fits", "does not fit", ""} {
		if err := a.Send(t.Context(), ws.Text(s)); err != nil {
			t.Fatal(err)
		}
		m, err := b.ReceiveInto(t.Context(), buf)
		if err != nil || m.String() != s || m.Data == nil {
			t.Fatalf("ReceiveInto = %q, %v", m, err)
		}
		fits := len(s) <= cap(buf)
		if inBuf := fits && bytes.Equal(buf[:len(s)], []byte(s)); inBuf != fits {
			t.Errorf("%q is not in the buffer, where it fits", s)
		}
	}
}

// failer is a transport that implements Failer.
type failer struct {
	fakeTransport
	failed *atomic.Pointer[errors.ConnectionClosed]
}

func (f *failer) Fail(cause *errors.ConnectionClosed) {
	f.ending.Set(cause)
	f.failed.Store(cause)
}

func TestDroppedConnEnds(t *testing.T) {
	var dropped, watched, supervised atomic.Pointer[errors.ConnectionClosed]
	kept := ws.NewConn(&failer{failed: new(atomic.Pointer[errors.ConnectionClosed])}, nil)
	var done <-chan struct{}
	made := make(chan struct{})
	go func() {
		ws.NewConn(&failer{failed: &supervised}, &ws.Config{Supervised: true})
		ws.NewConn(&failer{failed: &dropped}, nil)
		done = ws.NewConn(&failer{failed: &watched}, nil).Done()
		close(made)
	}()
	<-made
	for i := 0; dropped.Load() == nil; i++ {
		if i == 1000 {
			t.Fatal("an unreachable Conn stays open")
		}
		runtime.GC()
		time.Sleep(time.Millisecond) // lets cleanups run
	}
	mustClosed(t, "its end", dropped.Load(), errors.ConnectionClosed{Reason: errors.GoingAway, Message: "the connection was dropped without Close"})
	select {
	case <-done:
		t.Error("a Conn whose Done channel is in use was ended")
	default:
	}
	if supervised.Load() != nil {
		t.Error("a Conn that is Supervised was ended")
	}
	if kept.Err() != nil {
		t.Errorf("a Conn that is in use was ended: %v", kept.Err())
	}
}

func TestConfigDefaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		in   *ws.Config
		want ws.Config
	}{
		{"nil", nil, ws.Config{MaxMessageSize: 1 << 20, MaxStreamSize: 1 << 20, FragmentSize: 64 << 10, SendBuffer: 1 << 20, CloseTimeout: 5 * time.Second}},
		{"no limit", &ws.Config{MaxMessageSize: -1}, ws.Config{FragmentSize: 64 << 10, SendBuffer: 1 << 20, CloseTimeout: 5 * time.Second}},
		{"no limit for streams", &ws.Config{MaxStreamSize: -1}, ws.Config{MaxMessageSize: 1 << 20, FragmentSize: 64 << 10, SendBuffer: 1 << 20, CloseTimeout: 5 * time.Second}},
		{"set", &ws.Config{Subprotocol: "x", MaxMessageSize: 5, MaxStreamSize: 9, FragmentSize: 10, SendBuffer: 6, ReceiveBuffer: 7, CloseTimeout: 8},
			ws.Config{Subprotocol: "x", MaxMessageSize: 5, MaxStreamSize: 9, FragmentSize: 10, SendBuffer: 6, ReceiveBuffer: 7, CloseTimeout: 8}},
		{"streams below messages", &ws.Config{MaxMessageSize: 5, MaxStreamSize: 4},
			ws.Config{MaxMessageSize: 5, MaxStreamSize: 5, FragmentSize: 64 << 10, SendBuffer: 1 << 20, CloseTimeout: 5 * time.Second}},
	} {
		if got := test.in.WithDefaults(); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	conn := ws.NewConn(&fakeTransport{}, &ws.Config{Subprotocol: "chat.v2"})
	if conn.Subprotocol() != "chat.v2" || conn.Buffered() != 7 {
		t.Errorf("Subprotocol %q, Buffered %d", conn.Subprotocol(), conn.Buffered())
	}
}

// TestMessagesYieldsEveryOtherEnd checks that Messages yields every end except a normal
// closure.
func TestMessagesYieldsEveryOtherEnd(t *testing.T) {
	t.Parallel()
	for _, reason := range []errors.CloseReason{errors.GoingAway, errors.InternalError, errors.ServiceRestart, 4000} {
		a, b := ws.Pipe(nil, nil)
		_ = a.Close(reason, "why")
		var got []error
		for _, err := range b.Messages(t.Context()) {
			got = append(got, err)
		}
		if len(got) != 1 {
			t.Fatalf("%v: Messages yielded %v", reason, got)
		}
		mustClosed(t, "Messages", got[0], errors.ConnectionClosed{Reason: reason, Message: "why", Remote: true})
	}
	// A local normal closure also ends a loop that is running.
	_, b := ws.Pipe(nil, nil)
	_ = b.Close(errors.NormalClosure, "")
	for _, err := range b.Messages(t.Context()) {
		t.Errorf("Messages yielded %v after Close", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, open := ws.Pipe(nil, nil)
	var got []error
	for _, err := range open.Messages(ctx) {
		got = append(got, err)
	}
	if len(got) != 1 || !errors.Is(got[0], context.Canceled) {
		t.Errorf("Messages yielded %v after ctx ended", got)
	}
}

func TestCloseNow(t *testing.T) {
	t.Parallel()
	a, b := ws.Pipe(nil, nil)
	if err := a.CloseNow(1005, ""); !errors.Is(err, errors.ErrInvalidCloseReason) || a.Err() != nil {
		t.Errorf("CloseNow(1005) = %v, then Err = %v", err, a.Err())
	}
	_ = b.Send(t.Context(), ws.Text("unread"))
	if err := a.CloseNow(4000, strings.Repeat("x", 200)); err != nil {
		t.Errorf("CloseNow = %v, want nil", err)
	}
	want := errors.ConnectionClosed{Reason: 4000, Message: strings.Repeat("x", 123)}
	_, err := a.Receive(t.Context())
	mustClosed(t, "Receive", err, want)
	mustClosed(t, "Send", a.Send(t.Context(), ws.Text("late")), want)
	if err := a.Close(errors.NormalClosure, ""); err != nil {
		t.Errorf("Close after CloseNow = %v, want nil", err)
	}
	want.Remote = true
	_, err = b.Receive(t.Context())
	mustClosed(t, "the peer's Receive", err, want)
	if err := b.CloseNow(4001, ""); err != nil {
		t.Errorf("CloseNow after the end = %v, want nil", err)
	}
	mustClosed(t, "Err", b.Err(), want)
}
