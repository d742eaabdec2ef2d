package ws_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func TestPipeCarriesCopiesBothWays(t *testing.T) {
	t.Parallel()
	a, b := ws.Pipe(nil, nil)
	data := []byte("mine")
	if err := a.Send(t.Context(), ws.Binary(data)); err != nil {
		t.Fatal(err)
	}
	copy(data, "gone")
	if m, err := b.Receive(t.Context()); err != nil || m.Kind != ws.KindBinary || m.String() != "mine" {
		t.Errorf("Receive = %s %q, %v", m.Kind, m, err)
	}
	if err := b.Send(t.Context(), ws.Text("back")); err != nil {
		t.Fatal(err)
	}
	if m, ok, err := a.TryReceive(); !ok || err != nil || m.Kind != ws.KindText || m.String() != "back" {
		t.Errorf("TryReceive = %s %q, %v, %v", m.Kind, m, ok, err)
	}
	if _, ok, err := a.TryReceive(); ok || err != nil {
		t.Errorf("TryReceive of nothing = %v, %v", ok, err)
	}
	if err := a.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v, want nil", err)
	}
}

func TestPipeWaitsAboveTheHighWaterMark(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := ws.Pipe(&ws.Config{SendBuffer: 100}, nil)
		send := func(ctx context.Context, s string) error { return a.Send(ctx, ws.Text(s)) }
		if err := send(t.Context(), fmt.Sprintf("%0100d", 1)); err != nil { // the mark is reached
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		start := time.Now()
		if err := send(ctx, "not this one"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("Send above the mark = %v after %v", err, time.Since(start))
		}
		cancel()
		sent := make(chan error)
		go func() { sent <- send(t.Context(), "this one") }()
		synctest.Wait()
		select {
		case err := <-sent:
			t.Fatalf("Send did not wait: %v", err)
		default:
		}
		if m, err := b.Receive(t.Context()); err != nil || len(m.Data) != 100 {
			t.Errorf("Receive = %q, %v", m, err)
		}
		if err := <-sent; err != nil {
			t.Errorf("Send once there is space = %v, want nil", err)
		}
		if m, err := b.Receive(t.Context()); err != nil || m.String() != "this one" {
			t.Errorf("the next Receive = %q, %v", m, err)
		}
		if a.Buffered() != 0 {
			t.Errorf("Buffered = %d", a.Buffered())
		}
	})
}

func TestPipeEndWakesWaiters(t *testing.T) {
	t.Parallel()
	for _, peer := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, b := ws.Pipe(&ws.Config{SendBuffer: 1}, nil)
			if err := a.Send(t.Context(), ws.Text("full")); err != nil {
				t.Fatal(err)
			}
			sent, received := make(chan error), make(chan error)
			go func() { sent <- a.Send(context.Background(), ws.Text("waits")) }()
			go func() { _, err := a.Receive(context.Background()); received <- err }()
			synctest.Wait()
			closer := a
			if peer {
				closer = b
			}
			if err := closer.Close(4000, "end"); err != nil {
				t.Fatal(err)
			}
			want := errors.ConnectionClosed{Reason: 4000, Message: "end", Remote: peer}
			mustClosed(t, "Send", <-sent, want)
			mustClosed(t, "Receive", <-received, want)
		})
	}
}

func TestPipeWithAnInvalidConfig(t *testing.T) {
	for field, config := range map[string]ws.Config{
		"SendBuffer":        {SendBuffer: -1},
		"ReceiveBuffer":     {ReceiveBuffer: -1},
		"CloseTimeout":      {CloseTimeout: -1},
		"Heartbeat.Timeout": {Heartbeat: &ws.Heartbeat{Timeout: -1}},
	} {
		a, b := ws.Pipe(&config, nil)
		_, err := a.Receive(t.Context())
		if closed, ok := errors.AsType[*errors.ConnectionClosed](err); !ok || closed.Remote || closed.Reason != errors.InternalError ||
			closed.Err == nil || !strings.Contains(closed.Err.Error(), field) || !strings.Contains(closed.Err.Error(), "negative") {
			t.Errorf("%s: Receive = %v", field, err)
		}
		if err := b.Send(t.Context(), ws.Text("x")); !errors.Is(err, errors.InternalError) {
			t.Errorf("%s: the other side's Send = %v", field, err)
		}
		if err := a.Close(errors.NormalClosure, ""); err != nil {
			t.Errorf("%s: Close = %v", field, err)
		}
	}
}

func TestPipeLimits(t *testing.T) {
	t.Parallel()
	a, b := ws.Pipe(nil, &ws.Config{MaxMessageSize: 4})
	for _, s := range []string{"four", "fives"} {
		if err := a.Send(t.Context(), ws.Text(s)); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := b.Receive(t.Context()); err != nil || m.String() != "four" {
		t.Errorf("Receive = %q, %v", m, err)
	}
	const says = "message of 5 bytes: the limit is 4 bytes"
	_, err := b.Receive(t.Context())
	mustClosed(t, "then Receive", err, errors.ConnectionClosed{Reason: errors.MessageTooBig, Message: says})
	_, err = a.Receive(t.Context())
	mustClosed(t, "the sender's Receive", err, errors.ConnectionClosed{Reason: errors.MessageTooBig, Message: says, Remote: true})
}

func TestPipeKeepsEachSendersOrder(t *testing.T) {
	t.Parallel()
	a, b := ws.Pipe(&ws.Config{SendBuffer: 200}, nil)
	const senders, messages = 8, 200
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range messages {
				if err := a.Send(t.Context(), ws.Text(fmt.Sprintf("%d %d", s, i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var next [senders]int
	for range senders * messages {
		m, err := b.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var s, i int
		if _, err := fmt.Sscan(m.String(), &s, &i); err != nil || next[s] != i {
			t.Fatalf("%q where %d was next: %v", m, next[s], err)
		}
		next[s]++
	}
	wg.Wait()
}

func TestPipeBothCloseAtOnce(t *testing.T) {
	t.Parallel()
	for range 200 {
		a, b := ws.Pipe(nil, nil)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := a.Close(4001, "a"); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := b.Close(4002, "b"); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for _, conn := range []*ws.Conn{a, b} {
			closed, ok := errors.AsType[*errors.ConnectionClosed](conn.Err())
			if !ok || closed.Reason != 4001 && closed.Reason != 4002 {
				t.Fatalf("Err = %v", conn.Err())
			}
		}
	}
}
