package server_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

func echo(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func TestEcho(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e := server.Handler(echo, nil)
	s := httptest.NewServer(e)
	defer s.Close()
	conn, err := isosocket.Dial(ctx, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Send(ctx, ws.Text("hello")); err != nil {
		t.Fatal(err)
	}
	m, err := conn.Receive(ctx)
	if err != nil || m.String() != "hello" {
		t.Fatal(m, err)
	}
	if err := conn.Close(errors.NormalClosure, "bye"); err != nil {
		t.Fatal(err)
	}
	if err := e.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}
