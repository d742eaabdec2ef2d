package ws_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// TestPartsOverAPipe checks that a transport without messages in parts has the same
// outcomes.
func TestPartsOverAPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ws.Pipe(nil, nil)
		ctx := t.Context()
		w, err := a.NextWriter(ctx, ws.KindText)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "%d bottles of ", 99)
		soon, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := a.Send(soon, ws.Text("no")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %v, want DeadlineExceeded", err)
		}
		if err := a.TrySend(ws.Text("no")); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("TrySend = %v, want ErrWouldBlock", err)
		}
		go a.Send(ctx, ws.Text("after"))
		go func() {
			synctest.Wait()
			io.WriteString(w, "beer")
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}()
		kind, r, err := b.NextReader(ctx)
		if err != nil || kind != ws.KindText {
			t.Fatal(kind, err)
		}
		if text, err := io.ReadAll(r); err != nil || string(text) != "99 bottles of beer" {
			t.Errorf("%q, %v", text, err)
		}
		if m, err := b.Receive(ctx); err != nil || m.String() != "after" {
			t.Errorf("%q, %v", m, err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("Read at the end = %d, %v", n, err)
		}

		go a.Send(ctx, ws.Text("long"))
		if _, r, err = b.NextReader(ctx); err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(make([]byte, 2)); n != 2 || err != nil {
			t.Errorf("Read = %d, %v", n, err)
		}
		if _, ok, err := b.TryReceive(); ok || err != nil {
			t.Errorf("TryReceive = %v, %v", ok, err)
		}
		if _, err := r.Read(make([]byte, 2)); !errors.Is(err, errors.ErrMessageAbandoned) {
			t.Errorf("Read of an older reader = %v, want ErrMessageAbandoned", err)
		}

		ctx, cancel = context.WithCancel(ctx)
		if w, err = a.NextWriter(ctx, ws.KindBinary); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte{1})
		cancel()
		synctest.Wait()
		if err := w.Close(); !errors.Is(err, errors.ErrMessageAbandoned) || !errors.Is(err, context.Canceled) {
			t.Errorf("Close = %v", err)
		}
		if err := b.Err(); !errors.Is(err, errors.InternalError) {
			t.Errorf("the peer's end = %v, want InternalError", err)
		}
	})
}

func TestNextWriterRefuses(t *testing.T) {
	t.Parallel()
	a, b := ws.Pipe(&ws.Config{MaxMessageSize: 10, MaxStreamSize: 20}, nil)
	if _, err := a.NextWriter(t.Context(), 7); err == nil || !strings.Contains(err.Error(), "kind 7") {
		t.Errorf("NextWriter with an invalid kind = %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.NextWriter(ended, ws.KindText); !errors.Is(err, context.Canceled) || !errors.Is(err, errors.ErrWebSocket) {
		t.Errorf("NextWriter with a context that has ended = %v", err)
	}
	w, err := a.NextWriter(t.Context(), ws.KindText)
	if err != nil {
		t.Fatal(err)
	}
	// A pipe gathers the message, so that the limit is that of Send. Nothing was sent.
	_, err = io.WriteString(w, "eleven bytes")
	if !errors.Is(err, errors.ErrMessageTooBig) || !errors.Is(err, errors.ErrMessageAbandoned) ||
		!strings.Contains(err.Error(), "12 bytes, MaxMessageSize is 10") || a.Err() != nil {
		t.Errorf("Write over the limit = %v, then Err = %v", err, a.Err())
	}
	if err := a.Send(t.Context(), ws.Text("usable")); err != nil {
		t.Errorf("Send after it: %v", err)
	}
	b.Close(errors.GoingAway, "")
	if _, err := a.NextWriter(t.Context(), ws.KindText); err != a.Err() {
		t.Errorf("NextWriter after the end = %v", err)
	}
}

// TestHeartbeatsAndParts checks that NextReader does not return heartbeats, and that their
// answers wait for the end of a message that is being written and are then all sent.
func TestHeartbeatsAndParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ws.Pipe(&ws.Config{Heartbeat: &ws.Heartbeat{}}, &ws.Config{AnswerHeartbeat: &ws.Heartbeat{}})
		defer a.Close(errors.NormalClosure, "")
		// Buffered, because a also receives the answer to the text that is a heartbeat.
		got := map[*ws.Conn]chan string{a: make(chan string, 10), b: make(chan string, 10)}
		for _, conn := range []*ws.Conn{a, b} {
			go func() {
				for {
					_, r, err := conn.NextReader(context.Background())
					if err != nil {
						return
					}
					text, err := io.ReadAll(r)
					if err != nil {
						t.Error(err)
					}
					got[conn] <- string(text)
				}
			}()
		}
		w, err := b.NextWriter(t.Context(), ws.KindText)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, "long")
		time.Sleep(5 * time.Minute)
		w.Close()
		if text := <-got[a]; text != "long" {
			t.Errorf("received %q", text)
		}
		if err := a.Confirm(t.Context()); err != nil {
			t.Errorf("Confirm = %v, want nil", err)
		}
		for _, text := range []string{"\x05\x05", "\x06", "\x05", ""} {
			go a.Send(t.Context(), ws.Text(text))
			if text == "\x05" {
				continue // a heartbeat
			}
			if m := <-got[b]; m != text {
				t.Errorf("received %q, want %q", m, text)
			}
		}
		synctest.Wait() // until a has read the answer, which Close would cut short
	})
}

// A text message may be cut anywhere, and its Reads together return valid text.
func FuzzTextInParts(f *testing.F) {
	f.Add("größe 世界 😀", uint8(1))
	f.Add("\xe4\xb8", uint8(1))
	f.Add("\xf0\x9f\x98\x80\xff", uint8(2))
	f.Add("\xc3(", uint8(0)) // a rune that is not continued
	f.Fuzz(func(t *testing.T, text string, step uint8) {
		a, b := ws.Pipe(nil, nil)
		defer a.Close(errors.NormalClosure, "")
		w, err := a.NextWriter(t.Context(), ws.KindText)
		if err != nil {
			t.Fatal(err)
		}
		for rest := text; rest != "" && err == nil; {
			n := min(len(rest), int(step)+1)
			_, err = io.WriteString(w, rest[:n])
			rest = rest[n:]
		}
		if err == nil {
			err = w.Close()
		}
		if invalid := ws.Text(text).Check(0); (invalid == nil) != (err == nil) || invalid != nil && !errors.Is(err, errors.ErrInvalidUTF8) {
			t.Fatalf("%q in steps of %d: %v", text, int(step)+1, err)
		}
		if err == nil {
			if m, err := b.Receive(t.Context()); err != nil || m.String() != text {
				t.Fatalf("received %q, %v", m, err)
			}
		}
	})
}

// TestMisusedParts checks the calls on readers and writers that cannot succeed.
func TestMisusedParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := ws.Pipe(nil, nil)
		ctx := t.Context()
		go a.Send(ctx, ws.Text("text"))
		_, r, err := b.NextReader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(nil); n != 0 || err != nil {
			t.Errorf("Read(nil) = %d, %v", n, err)
		}
		received, stop := context.WithCancel(ctx)
		waits := make(chan error)
		go func() {
			_, err := b.Receive(received)
			waits <- err
		}()
		synctest.Wait()
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, errors.ErrConcurrentReceive) {
			t.Errorf("Read during Receive = %v", err)
		}
		if _, _, err := b.NextReader(ctx); !errors.Is(err, errors.ErrConcurrentReceive) {
			t.Errorf("NextReader during Receive = %v", err)
		}
		stop()
		if err := <-waits; !errors.Is(err, context.Canceled) {
			t.Errorf("Receive = %v", err)
		}

		w, err := a.NextWriter(ctx, ws.KindText)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.Write(nil); n != 0 || err != nil {
			t.Errorf("Write(nil) = %d, %v", n, err)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) || err.Error() != "websocket: write after Close" {
			t.Errorf("Write after Close = %v", err)
		}

		_, r, err = b.NextReader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		b.Close(errors.GoingAway, "")
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, errors.GoingAway) {
			t.Errorf("Read after Close = %v", err)
		}
		if _, _, err := b.NextReader(ctx); !errors.Is(err, errors.GoingAway) {
			t.Errorf("NextReader after Close = %v", err)
		}
		if _, err := a.NextWriter(ctx, ws.KindText); !errors.Is(err, errors.GoingAway) {
			t.Errorf("NextWriter after the end = %v", err)
		}
	})
}
