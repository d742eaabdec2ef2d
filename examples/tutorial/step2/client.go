//go:build js

package main

import (
	"context"
	"syscall/js"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/ws/wsjson"
)

func main() {
	ctx := context.Background()
	page := openPage()
	host := js.Global().Get("location").Get("host").String()
	conn, err := isosocket.Dial(ctx, "ws://"+host+"/ws", nil)
	if err != nil {
		page.show(err.Error())
		return
	}
	page.show("connected")
	go func() {
		for s := range page.strokes {
			if wsjson.Send(ctx, conn, s) != nil {
				return // the loop below says why
			}
		}
	}()
	for s, err := range wsjson.Messages[Stroke](ctx, conn) {
		if err != nil {
			page.show(err.Error())
			return
		}
		page.draw(s)
	}
}
