//go:build js

package main

import (
	"context"
	"syscall/js"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/ws"
)

func main() {
	ctx := context.Background()
	host := js.Global().Get("location").Get("host").String()
	conn, err := isosocket.Dial(ctx, "ws://"+host+"/ws", nil)
	if err != nil {
		show(err.Error())
		return
	}
	if err := conn.Send(ctx, ws.Text("browser")); err != nil {
		show(err.Error())
		return
	}
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			show(err.Error())
			return
		}
		show(m.String())
	}
}

// show replaces the text of the page.
func show(text string) {
	js.Global().Get("document").Call("getElementById", "status").Set("textContent", text)
}
