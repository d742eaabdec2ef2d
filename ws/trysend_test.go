package ws_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// sends are the ways to send that never wait.
var sends = map[string]func(*ws.Conn, ws.Message) error{
	"TrySend":         func(c *ws.Conn, m ws.Message) error { return c.TrySend(m) },
	"TrySendPrepared": func(c *ws.Conn, m ws.Message) error { return c.TrySendPrepared(ws.Prepare(m)) },
}

func TestTrySend(t *testing.T) {
	t.Parallel()
	for name, send := range sends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := ws.Pipe(&ws.Config{SendBuffer: 1000, MaxMessageSize: 2000}, nil)
			sent := 0
			for {
				err := send(a, ws.Binary(make([]byte, 300)))
				if errors.Is(err, errors.ErrWouldBlock) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if sent++; sent > 10 {
					t.Fatal("the high-water mark does not limit the queue")
				}
			}
			if err := send(a, ws.Text("\xff")); !errors.Is(err, errors.ErrInvalidUTF8) {
				t.Errorf("Send of invalid text = %v, want ErrInvalidUTF8", err)
			}
			if err := send(a, ws.Binary(make([]byte, 2001))); !errors.Is(err, errors.ErrMessageTooBig) {
				t.Errorf("Send of too many bytes = %v, want ErrMessageTooBig", err)
			}
			if a.Err() != nil {
				t.Errorf("the connection ended: %v", a.Err())
			}
			for range sent {
				if m, err := b.Receive(t.Context()); err != nil || len(m.Data) != 300 {
					t.Fatalf("Receive = %d bytes, %v", len(m.Data), err)
				}
			}
			if m, ok, err := b.TryReceive(); ok || err != nil {
				t.Errorf("%d bytes of a refused message arrived, %v", len(m.Data), err)
			}
			if err := send(a, ws.Text("room again")); err != nil {
				t.Errorf("Send with space = %v, want nil", err)
			}
			_ = a.Close(4000, "done")
			mustClosed(t, name, send(a, ws.Text("late")), errors.ConnectionClosed{Reason: 4000, Message: "done"})
		})
	}
}

// TestSendWithAnEndedContext checks that ctx limits only a wait: if there is space, a
// message is sent, and a message that has arrived is received.
func TestSendWithAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a, b := ws.Pipe(&ws.Config{SendBuffer: 100}, nil)
	if err := a.Send(ctx, ws.Binary(make([]byte, 200))); err != nil {
		t.Errorf("Send with space = %v, want nil", err)
	}
	if err := a.Send(ctx, ws.Text("waits")); !errors.Is(err, context.Canceled) {
		t.Errorf("Send without space = %v, want Canceled", err)
	}
	if m, err := b.Receive(ctx); err != nil || len(m.Data) != 200 {
		t.Errorf("Receive = %d bytes, %v", len(m.Data), err)
	}
	if _, err := b.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v, want Canceled", err)
	}
}

// A game drops a position that would be stale before there is space for it.
func ExampleConn_TrySend() {
	game, player := ws.Pipe(&ws.Config{SendBuffer: 100}, nil)
	for tick := range 5 {
		position := ws.Text(fmt.Sprintf("tick %d: %064d", tick, tick))
		if err := game.TrySend(position); errors.Is(err, errors.ErrWouldBlock) {
			fmt.Println("dropped tick", tick)
		}
	}
	m, _ := player.Receive(context.Background())
	fmt.Println(m.String()[:6])
	// Output:
	// dropped tick 1
	// dropped tick 2
	// dropped tick 3
	// dropped tick 4
	// tick 0
}

// A broadcast continues if one connection accepts nothing.
func ExampleConn_TrySendPrepared() {
	slow, _ := ws.Pipe(&ws.Config{SendBuffer: 10}, nil)
	healthy, reader := ws.Pipe(nil, nil)
	for _, text := range []string{"one", "two"} {
		p := ws.Prepare(ws.Text(text))
		for _, member := range []*ws.Conn{slow, healthy} {
			if err := member.TrySendPrepared(p); errors.Is(err, errors.ErrWouldBlock) {
				fmt.Println("too slow for", text)
			}
		}
	}
	for range 2 {
		m, _ := reader.Receive(context.Background())
		fmt.Println(m)
	}
	// Output:
	// too slow for two
	// one
	// two
}
