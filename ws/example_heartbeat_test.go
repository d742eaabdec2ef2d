package ws_test

import (
	"context"
	"fmt"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// A Heartbeat ends a connection whose peer is gone.
func ExampleHeartbeat() {
	heartbeat := &ws.Heartbeat{Every: 20 * time.Millisecond, Timeout: 20 * time.Millisecond}
	conn, peer := ws.Pipe(&ws.Config{Heartbeat: heartbeat}, nil)
	defer peer.Close(errors.NormalClosure, "")

	_, err := conn.Receive(context.Background()) // the peer sends nothing, and answers nothing
	closed, _ := errors.AsType[*errors.ConnectionClosed](err)
	fmt.Println(closed.Reason, closed.Message)
	// Output: 1008 (policy violation) Ping/Pong timeout
}

// Confirm returns nil after all messages that were sent before it have arrived.
func ExampleConn_Confirm() {
	conn, peer := ws.Pipe(&ws.Config{Heartbeat: &ws.Heartbeat{}}, &ws.Config{AnswerHeartbeat: &ws.Heartbeat{}})
	defer conn.Close(errors.NormalClosure, "")
	ctx := context.Background()
	go func() {
		for m, err := range peer.Messages(ctx) {
			if err != nil {
				return
			}
			fmt.Println("the peer has:", m)
		}
	}()
	go conn.Receive(ctx) // Confirm needs a reader

	conn.Send(ctx, ws.Text("one"))
	conn.Send(ctx, ws.Text("two"))
	fmt.Println("confirmed:", conn.Confirm(ctx) == nil)
	// Output:
	// the peer has: one
	// the peer has: two
	// confirmed: true
}
