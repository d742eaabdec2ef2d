//go:build !js

package main

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/ws"
)

// TestSlowReaderOverTCP checks that a member that stops reading is removed with a reason, and
// does not delay the others, over TCP with its large buffers.
func TestSlowReaderOverTCP(t *testing.T) {
	t.Parallel()
	d := newDemo(demoOptions{maxMessage: 1 << 20, logger: slog.New(slog.DiscardHandler)})
	h := httptest.NewServer(d)
	t.Cleanup(func() {
		if err := d.shutdown(context.Background(), h.Config); err != nil {
			t.Error(err)
		}
		h.Close()
	})
	enter := func(name string) *ws.Conn {
		t.Helper()
		conn, err := isosocket.Dial(t.Context(), h.URL+"/ws", &isosocket.DialOptions{Subprotocols: []string{chat.Subprotocol}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(errors.NormalClosure, "") })
		if err := conn.Send(t.Context(), ws.Message{Kind: ws.KindText, Data: chat.Message{Type: chat.Join, Name: name}.Encode()}); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	next := func(conn *ws.Conn) (chat.Message, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		m, err := conn.Receive(ctx)
		if err != nil {
			return chat.Message{}, err
		}
		return chat.DecodeEvent(m.Data)
	}

	ada := enter("ada")
	slow := enter("slow")
	say := ws.Message{Kind: ws.KindText, Data: chat.Message{Type: chat.Say, Text: strings.Repeat("x", chat.MaxText)}.Encode()}
	dropped := false
	var longest time.Duration
	for n := 0; n < 50_000 && !dropped; n++ {
		began := time.Now()
		if err := ada.Send(t.Context(), say); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := next(ada)
			if err != nil {
				t.Fatal(err)
			}
			if m.Type == chat.Left {
				dropped = true
				if m.Name != "slow" || m.Reason != errors.TryAgainLater || !strings.Contains(m.Text, "reads too slowly") {
					t.Fatalf("left: %+v", m)
				}
			}
			if m.Type == chat.Said {
				break
			}
		}
		longest = max(longest, time.Since(began))
	}
	if !dropped {
		t.Fatal("a member that does not read is never removed")
	}
	// If it had to wait for the slow member, it would do so for the close timeout of 5 s.
	if longest > 4*time.Second {
		t.Errorf("a round trip took %v while one member did not read", longest)
	}
	for {
		if _, err := next(slow); err != nil {
			// Sending the data in the system's buffers may take longer than the server waits.
			if !errors.Is(err, errors.TryAgainLater) && !errors.Is(err, errors.AbnormalClosure) {
				t.Errorf("the slow member ended with %v", err)
			}
			break
		}
	}
}
