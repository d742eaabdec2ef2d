package wsjson_test

import (
	"context"
	"fmt"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wsjson"
)

func Example() {
	ctx := context.Background()
	client, server := ws.Pipe(nil, nil) // Dial and a server's function return such Conns
	type point struct{ X, Y int }

	go func() {
		for p, err := range wsjson.Messages[point](ctx, server) {
			if err != nil {
				wsjson.Reject(server, err)
				return
			}
			wsjson.Send(ctx, server, point{p.Y, p.X})
		}
	}()
	if err := wsjson.Send(ctx, client, point{3, 4}); err != nil {
		fmt.Println(err)
	}
	p, err := wsjson.Receive[point](ctx, client)
	fmt.Println(p, err)
	client.Close(errors.NormalClosure, "")
	// Output: {4 3} <nil>
}

// A message that does not decode leaves the connection open.
func ExampleReceive() {
	ctx := context.Background()
	client, server := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	client.Send(ctx, ws.Text("three"))
	client.Send(ctx, ws.Text("4"))
	for range 2 {
		n, err := wsjson.Receive[int](ctx, server)
		if bad, ok := errors.AsType[*wsjson.DecodeError](err); ok {
			fmt.Printf("skipped %q\n", bad.Message)
			continue
		}
		fmt.Println(n, err)
	}
	// Output:
	// skipped "three"
	// 4 <nil>
}

func ExampleSend() {
	ctx := context.Background()
	client, server := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	wsjson.Send(ctx, client, map[string]any{"op": "move", "to": "e4"})
	m, _ := server.Receive(ctx)
	fmt.Println(m)
	// Output: {"op":"move","to":"e4"}
}

func ExampleMessages() {
	ctx := context.Background()
	client, server := ws.Pipe(nil, nil)
	go func() {
		for n := range 3 {
			wsjson.Send(ctx, client, n)
		}
		client.Close(errors.NormalClosure, "")
	}()
	sum := 0
	for n, err := range wsjson.Messages[int](ctx, server) {
		if err != nil {
			fmt.Println(err)
			return
		}
		sum += n
	}
	fmt.Println(sum)
	// Output: 3
}

func ExampleReject() {
	ctx := context.Background()
	client, server := ws.Pipe(nil, nil)
	client.Send(ctx, ws.Text("three"))
	_, err := wsjson.Receive[int](ctx, server)
	wsjson.Reject(server, err)
	_, err = client.Receive(ctx)
	fmt.Println(err)
	// Output: websocket: connection closed by the peer: 1007 (invalid payload): the message is not the JSON that was expected
}

func ExampleDecode() {
	n, err := wsjson.Decode[[]int](ws.Text("[1, 2, 3]"))
	fmt.Println(n, err)
	// Output: [1 2 3] <nil>
}

// The error holds the message that did not decode, for a log.
func ExampleDecodeError() {
	_, err := wsjson.Decode[int](ws.Binary([]byte{1}))
	if bad, ok := errors.AsType[*wsjson.DecodeError](err); ok {
		fmt.Println(bad.Message.Kind, len(bad.Message.Data), bad.Reason())
	}
	// Output: binary 1 1003 (unsupported data)
}

// A value that cannot be encoded leaves the connection open.
func ExampleEncodeError() {
	conn, peer := ws.Pipe(nil, nil)
	defer peer.Close(errors.NormalClosure, "")
	err := wsjson.Send(context.Background(), conn, func() {})
	_, ok := errors.AsType[*wsjson.EncodeError](err)
	fmt.Println(ok, conn.Err())
	// Output: true <nil>
}
