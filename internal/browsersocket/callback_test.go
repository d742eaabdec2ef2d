//go:build js

package browsersocket

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/ws"
)

// inCallback runs f in a function that the event loop calls, and returns after f has
// returned.
func inCallback(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	callback := function(t, func([]jscall.Value) any {
		defer close(done)
		start := time.Now()
		f()
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("the page was blocked for %v", d)
		}
		return nil
	})
	var js jscall.Builtins
	js.Invoke(js.Get("setTimeout"), callback, 0)
	jsOK(t, &js)
	<-done
}

// wouldBlock fails t unless err reports that call cannot wait, and names the alternative.
func wouldBlock(t *testing.T, err error, call, instead string) {
	t.Helper()
	if !errors.Is(err, errors.ErrWouldBlock) || !errors.Is(err, errors.ErrWebSocket) ||
		!strings.Contains(err.Error(), call+" cannot wait inside a JavaScript callback") || !strings.Contains(err.Error(), instead) {
		t.Errorf("%s returned %v, want ErrWouldBlock", call, err)
	}
}

// A call that would have to wait in a callback returns an error that says so, and leaves
// the connection open.
func TestSocketInCallback(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(&ws.Config{SendBuffer: 1000})
	f.deliver(ws.Text("one"))
	inCallback(t, func() {
		if m, err := conn.Receive(t.Context()); m.String() != "one" || err != nil {
			t.Errorf("Receive returned %q, %v, want the message that has arrived", m.Data, err)
		}
		_, err := conn.Receive(t.Context())
		wouldBlock(t, err, "Receive", "TryReceive")
		for range 300 {
			if _, ok, err := conn.TryReceive(); ok || err != nil {
				t.Fatalf("TryReceive: %v, %v", ok, err)
			}
		}
		if err := conn.Send(t.Context(), ws.Text("there is room")); err != nil {
			t.Error(err)
		}
		if err := conn.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		f.set("bufferedAmount", 2000)
		if err := conn.Send(t.Context(), ws.Text("fills it")); err != nil {
			t.Error(err)
		}
		wouldBlock(t, conn.Send(t.Context(), ws.Text("too much")), "Send", "TrySend")
		wouldBlock(t, conn.Flush(t.Context()), "Flush", "another goroutine")
		_, err = Dial(t.Context(), "ws://fake/", Options{})
		wouldBlock(t, err, "Dial", "another goroutine")
	})
	f.set("bufferedAmount", 0)
	if err := conn.Send(t.Context(), ws.Text("later")); err != nil || conn.Err() != nil {
		t.Fatalf("Send returned %v, and the connection has %v", err, conn.Err())
	}
	if len(f.sent) != 3 || f.sent[2].String() != "later" {
		t.Errorf("%d messages were sent", len(f.sent))
	}
	f.deliverLater([]ws.Message{ws.Text("two")})
	if m, err := conn.Receive(t.Context()); m.String() != "two" || err != nil {
		t.Errorf("Receive returned %q, %v", m.Data, err)
	}
}

func TestSocketSendWhileClosingInCallback(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(nil)
	f.set("readyState", 2)
	inCallback(t, func() { wouldBlock(t, conn.Send(t.Context(), ws.Text("x")), "Send", "another goroutine") })
	if len(f.sent) > 0 || conn.Err() != nil {
		t.Errorf("%d messages were sent, and the connection has %v", len(f.sent), conn.Err())
	}
}

// Close sends the close frame, and the connection awaits the answer after Close returns.
func TestSocketCloseInCallback(t *testing.T) {
	for name, answers := range map[string]bool{"the peer answers": true, "the peer is silent": false} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			s, conn := f.dial(&ws.Config{CloseTimeout: 50 * time.Millisecond})
			inCallback(t, func() {
				for range 2 {
					wouldBlock(t, conn.Close(errors.GoingAway, "bye"), "Close", "the close frame is on its way")
				}
				if len(f.closed) != 2 || f.closed[0] != 3901 || f.closed[1] != "bye" {
					t.Errorf("close%v", f.closed)
				}
				if err := conn.Send(t.Context(), ws.Text("x")); !errors.Is(err, errors.GoingAway) {
					t.Errorf("then Send returned %v", err)
				}
			})
			if answers {
				f.end(3901, "bye", true)
			} else {
				time.Sleep(100 * time.Millisecond)
			}
			<-conn.Done()
			if !errors.Is(conn.Err(), errors.GoingAway) || !s.released.Load() {
				t.Errorf("ended with %v; released: %v", conn.Err(), s.released.Load())
			}
		})
	}
	t.Run("beside another Close", func(t *testing.T) {
		f := newFake(t)
		_, conn := f.dial(nil)
		first := make(chan error)
		go func() { first <- conn.Close(errors.NormalClosure, "") }()
		for f.closes == 0 {
			turn()
		}
		inCallback(t, func() { wouldBlock(t, conn.Close(errors.NormalClosure, ""), "Close", "another Close is under way") })
		f.end(1000, "", true)
		if err := <-first; err != nil {
			t.Error(err)
		}
		inCallback(t, func() {
			if err := conn.Close(errors.NormalClosure, ""); err != nil {
				t.Errorf("after both, Close returned %v", err)
			}
		})
	})
	t.Run("after the peer's", func(t *testing.T) {
		f := newFake(t)
		_, conn := f.dial(nil)
		f.end(4000, "bye", true)
		inCallback(t, func() {
			if err := conn.Close(errors.NormalClosure, ""); err != nil {
				t.Errorf("Close returned %v", err)
			}
		})
	})
}

// A heartbeat whose answer has not arrived yet.
func TestSocketConfirmInCallback(t *testing.T) {
	f := newFake(t)
	_, conn := f.dial(&ws.Config{Heartbeat: &ws.Heartbeat{Every: time.Hour, Timeout: time.Hour}})
	inCallback(t, func() { wouldBlock(t, conn.Confirm(context.Background()), "Confirm", "another goroutine") })
	if conn.Err() != nil {
		t.Error(conn.Err())
	}
}
