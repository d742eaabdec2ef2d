//go:build !js

package server_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// Heartbeats that arrive between the fragments of a message are answered behind it, each one.
func TestHeartbeatsDuringAMessageInParts(t *testing.T) {
	t.Parallel()
	const part = 100_000
	_, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		w, err := conn.NextWriter(ctx, ws.KindText)
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(strings.Repeat("a", part))); err != nil {
			return err
		}
		if m, err := conn.Receive(ctx); err != nil || m.String() != "go on" {
			t.Errorf("received %v, %v", m, err)
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		_, err = conn.Receive(ctx)
		return err
	}, nil)
	conn, err := isosocket.Dial(timeout(t), "ws"+strings.TrimPrefix(s.URL, "http"), &isosocket.DialOptions{Heartbeat: &ws.Heartbeat{Every: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(errors.NormalClosure, "")
	got := make(chan string, 1)
	go func() {
		for m := range conn.Messages(timeout(t)) {
			got <- m.String()
		}
	}()
	const beats = 3
	confirmed := make(chan error, beats)
	for range beats {
		go func() { confirmed <- conn.Confirm(timeout(t)) }()
	}
	select {
	case err := <-confirmed:
		t.Fatalf("Confirm = %v before the message was whole", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := conn.Send(t.Context(), ws.Text("go on")); err != nil {
		t.Fatal(err)
	}
	for range beats {
		if err := <-confirmed; err != nil {
			t.Errorf("Confirm = %v", err)
		}
	}
	if m := <-got; len(m) != part {
		t.Errorf("received %d bytes", len(m))
	}
}
