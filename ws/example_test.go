package ws_test

import (
	"context"
	"fmt"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// Two connected Conns in memory, to test what sends and receives without a
// network. Messages that arrived before the end come before the end.
func ExamplePipe() {
	ctx := context.Background()
	conn, peer := ws.Pipe(nil, nil)
	peer.Send(ctx, ws.Text("one"))
	peer.Send(ctx, ws.Binary([]byte{2}))
	go peer.Close(errors.GoingAway, "restart")

	for m, err := range conn.Messages(ctx) {
		if errors.Is(err, errors.GoingAway) {
			fmt.Println(err)
			break
		}
		fmt.Println(m.Kind, len(m.Data))
	}
	// Output:
	// text 3
	// binary 1
	// websocket: connection closed by the peer: 1001 (going away): restart
}

// A context bounds the wait, never the connection.
func ExampleConn_Receive() {
	conn, peer := ws.Pipe(nil, nil)
	defer conn.Close(errors.NormalClosure, "")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := conn.Receive(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded), conn.Err())

	peer.Send(context.Background(), ws.Text("still here"))
	fmt.Println(conn.Receive(context.Background()))
	// Output:
	// true <nil>
	// still here <nil>
}

// One buffer for all messages: nothing is allocated for those that fit.
func ExampleConn_ReceiveInto() {
	ctx := context.Background()
	conn, peer := ws.Pipe(nil, nil)
	defer conn.Close(errors.NormalClosure, "")
	go func() {
		for _, text := range []string{"one", "two"} {
			peer.Send(ctx, ws.Text(text))
		}
	}()
	buf := make([]byte, 0, 4<<10)
	for range 2 {
		m, err := conn.ReceiveInto(ctx, buf)
		fmt.Println(m, err) // before buf is used again
	}
	// Output:
	// one <nil>
	// two <nil>
}
