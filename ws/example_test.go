package ws_test

import (
	"context"
	"fmt"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// Two connected Conns in memory, to test code that sends and receives without a
// network. Messages that arrived before the end are received before the error.
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

// A context limits the wait, never the life of the connection.
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

// Check a reason that a program's user has chosen before a connection is closed with it.
func ExampleCheckCloseReason() {
	for _, reason := range []errors.CloseReason{4001, errors.AbnormalClosure} {
		err := ws.CheckCloseReason(reason)
		fmt.Println(uint16(reason), errors.Is(err, errors.ErrInvalidCloseReason))
	}
	// Output:
	// 4001 false
	// 1006 true
}

// Messages returns without an error after a normal closure.
func ExampleConn_Messages() {
	ctx := context.Background()
	conn, peer := ws.Pipe(nil, nil)
	go func() {
		for _, text := range []string{"one", "two"} {
			if err := peer.Send(ctx, ws.Text(text)); err != nil {
				return
			}
		}
		peer.Close(errors.NormalClosure, "")
	}()
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m)
	}
	// Output:
	// one
	// two
}

// A closed connection returns its first cause from every call.
func ExampleConn_Close() {
	conn, peer := ws.Pipe(nil, nil)
	go peer.Receive(context.Background()) // answers the close frame
	if err := conn.Close(4000, "signed out"); err != nil {
		fmt.Println(err)
	}
	<-conn.Done()
	fmt.Println(errors.Is(conn.Err(), errors.CloseReason(4000)))
	fmt.Println(errors.Is(conn.Send(context.Background(), ws.Text("late")), errors.CloseReason(4000)))
	// Output:
	// true
	// true
}

// The kind of a message says whether its data is text.
func ExampleMessage() {
	for _, m := range []ws.Message{ws.Text("hello"), ws.Binary([]byte{1, 2, 3})} {
		switch m.Kind {
		case ws.KindText:
			fmt.Println("text:", m)
		case ws.KindBinary:
			fmt.Println("binary:", len(m.Data), "bytes")
		}
	}
	// Output:
	// text: hello
	// binary: 3 bytes
}

// A message with a secret and with data that others choose is sent without compression.
func ExampleMessage_noCompression() {
	conn, peer := ws.Pipe(nil, nil)
	defer peer.Close(errors.NormalClosure, "")
	m := ws.Text("token 5f2a")
	m.NoCompression = true
	if err := conn.Send(context.Background(), m); err != nil {
		fmt.Println(err)
	}
	got, err := peer.Receive(context.Background())
	fmt.Println(got, err)
	// Output: token 5f2a <nil>
}

func ExampleText() {
	m := ws.Text("hello")
	fmt.Println(m.Kind, m)
	// Output: text hello
}

func ExampleBinary() {
	m := ws.Binary([]byte{0xca, 0xfe})
	fmt.Printf("%v %x\n", m.Kind, m.Data)
	// Output: binary cafe
}

// A test configures the limits of its two ends, as Dial and a server would.
func ExampleConfig() {
	ctx := context.Background()
	conn, peer := ws.Pipe(&ws.Config{MaxMessageSize: 4}, nil)
	defer peer.Close(errors.NormalClosure, "")
	if err := peer.Send(ctx, ws.Text("hello")); err != nil {
		fmt.Println(err)
	}
	_, err := conn.Receive(ctx)
	fmt.Println(errors.Is(err, errors.MessageTooBig))
	// Output: true
}

// Flush before a program exits, so that all sent messages have left the process.
func ExampleConn_Flush() {
	ctx := context.Background()
	conn, peer := ws.Pipe(nil, nil)
	defer conn.CloseNow(errors.NormalClosure, "")
	go func() {
		for range 2 {
			if _, err := peer.Receive(ctx); err != nil {
				return
			}
		}
	}()
	for _, text := range []string{"one", "two"} {
		if err := conn.Send(ctx, ws.Text(text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(conn.Flush(ctx))
	// Output: <nil>
}

// CloseNow ends a connection whose peer does not read, and does not wait for it.
func ExampleConn_CloseNow() {
	conn, peer := ws.Pipe(nil, nil)
	if err := conn.CloseNow(errors.PolicyViolation, "too slow"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conn.Err())

	_, err := peer.Receive(context.Background())
	fmt.Println(err)
	// Output:
	// websocket: connection closed: 1008 (policy violation): too slow
	// websocket: connection closed by the peer: 1008 (policy violation): too slow
}
