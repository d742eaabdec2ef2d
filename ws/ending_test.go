package ws_test

import (
	"context"
	"io"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

func TestEndingNotify(t *testing.T) {
	t.Parallel()
	var e driver.Ending
	var calls []string
	e.Notify(func() { calls = append(calls, "first") })
	e.Notify(func() { calls = append(calls, "second") })
	e.Notify(func() {
		if e.Cause() == nil {
			t.Error("called before there is a cause")
		}
		select {
		case <-e.Done(): // must not deadlock: no lock is held
		default:
			t.Error("called before Done is closed")
		}
	})
	if len(calls) != 0 {
		t.Fatalf("called before the end: %v", calls)
	}
	if !e.Set(&errors.ConnectionClosed{Reason: errors.GoingAway}) {
		t.Fatal("the first Set = false, want true")
	}
	if e.Set(&errors.ConnectionClosed{Reason: errors.NormalClosure}) {
		t.Error("the second Set = true, want false")
	}
	e.Notify(func() { calls = append(calls, "late") })
	if len(calls) != 3 || calls[0] != "first" || calls[1] != "second" || calls[2] != "late" {
		t.Errorf("calls = %v", calls)
	}
}

// endingTransport is a connection that is lost while a Receive waits, and that has
// already received a message.
type endingTransport struct {
	driver.Transport
	ending driver.Ending
	left   []driver.Message
}

func (e *endingTransport) Ending() *driver.Ending { return &e.ending }

func (e *endingTransport) Receive(ctx context.Context, _ []byte) (driver.Message, error) {
	e.ending.Set(&errors.ConnectionClosed{Reason: errors.AbnormalClosure})
	<-ctx.Done()
	return driver.Message{}, ctx.Err()
}

func (e *endingTransport) TryReceive([]byte) (driver.Message, bool, error) {
	if len(e.left) == 0 {
		return driver.Message{}, false, io.EOF
	}
	m := e.left[0]
	e.left = e.left[1:]
	return m, true, nil
}

// A context that ends because the connection does, as that of a server's handler, hides
// neither the messages that arrived before nor the cause of the end.
func TestReceiveWithAContextThatEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	transport := &endingTransport{left: []driver.Message{driver.Message(ws.Text("last words"))}}
	transport.ending.Notify(cancel)
	conn := ws.NewConn(transport, nil)
	if m, err := conn.Receive(ctx); err != nil || m.String() != "last words" {
		t.Errorf("Receive = %q, %v", m, err)
	}
	if _, err := conn.Receive(ctx); !errors.Is(err, errors.AbnormalClosure) || errors.Is(err, context.Canceled) {
		t.Errorf("the next Receive = %v, want 1006", err)
	}
}
