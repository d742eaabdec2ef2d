//go:build js

// Command coder is the program of ../isosocket with coder/websocket.
package main

import (
	"context"

	"github.com/coder/websocket"
)

func main() {
	ctx := context.Background()
	conn, _, err := websocket.Dial(ctx, "ws://localhost:8080/echo", nil)
	if err != nil {
		panic(err)
	}
	if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		panic(err)
	}
	_, data, err := conn.Read(ctx)
	if err != nil {
		panic(err)
	}
	println(string(data))
	if err := conn.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		panic(err)
	}
}
