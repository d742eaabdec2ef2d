package ws_test

import (
	"context"
	"fmt"

	"github.com/isosocket/isosocket/ws"
)

// A broadcast sends one message on many connections.
func ExamplePrepare() {
	ctx := context.Background()
	a, alice := ws.Pipe(nil, nil)
	b, bob := ws.Pipe(nil, nil)

	news := ws.Prepare(ws.Text("the kettle is on"))
	for _, conn := range []*ws.Conn{a, b} {
		conn.SendPrepared(ctx, news)
	}

	for _, conn := range []*ws.Conn{alice, bob} {
		m, _ := conn.Receive(ctx)
		fmt.Println(m)
	}
	// Output:
	// the kettle is on
	// the kettle is on
}
