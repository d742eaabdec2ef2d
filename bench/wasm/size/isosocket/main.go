//go:build js

// Command isosocket dials, sends, receives and closes. Row m measures its size.
package main

import (
	"context"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func main() {
	ctx := context.Background()
	conn, err := isosocket.Dial(ctx, "ws://localhost:8080/echo", nil)
	if err != nil {
		panic(err)
	}
	if err := conn.Send(ctx, ws.Text("hello")); err != nil {
		panic(err)
	}
	m, err := conn.Receive(ctx)
	if err != nil {
		panic(err)
	}
	println(m.String())
	if err := conn.Close(errors.NormalClosure, "bye"); err != nil {
		panic(err)
	}
}
