//go:build js

package main

import (
	"context"
	"syscall/js"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wsjson"
)

func main() {
	ctx := context.Background()
	page := openPage()
	host := js.Global().Get("location").Get("host").String()
	client := isosocket.NewClient(ctx, "ws://"+host+"/ws", &isosocket.ClientOptions{
		Reconnect: &isosocket.ReconnectOptions{
			Dial: &isosocket.DialOptions{Heartbeat: &ws.Heartbeat{}},
		},
		Outbox: &isosocket.Outbox{},
	})
	go func() {
		for state := range client.Changes() {
			page.show(state.Phase.String())
		}
	}()
	go func() {
		for s := range page.strokes {
			if wsjson.Send(ctx, client, s) != nil {
				return // the loop below says why
			}
		}
	}()
	for u, err := range wsjson.Messages[Update](ctx, client) {
		if err != nil {
			page.show(err.Error())
			return
		}
		if u.Reset {
			page.clear()
		}
		for _, s := range u.Strokes {
			page.draw(s)
		}
	}
}
