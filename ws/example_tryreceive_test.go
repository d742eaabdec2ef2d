package ws_test

import (
	"context"
	"fmt"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// A program with its own loop, such as a game, polls for messages.
func ExampleConn_TryReceive() {
	conn, peer := ws.Pipe(nil, nil)
	defer conn.Close(errors.NormalClosure, "")
	_, ok, err := conn.TryReceive()
	fmt.Println(ok, err)

	peer.Send(context.Background(), ws.Text("move"))
	for !ok && err == nil {
		var m ws.Message
		if m, ok, err = conn.TryReceive(); ok {
			fmt.Println(m)
		}
	}
	// Output:
	// false <nil>
	// move
}
