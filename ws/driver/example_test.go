package driver_test

import (
	"context"
	"fmt"
	"io"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// mirror is a transport whose peer sends everything back.
type mirror struct {
	inbox  driver.Inbox
	ending driver.Ending
}

func (m *mirror) Send(_ context.Context, message driver.Message) error {
	if m.ending.Cause() != nil {
		return io.ErrClosedPipe
	}
	m.inbox.Push(driver.Message{Kind: message.Kind, Data: append([]byte(nil), message.Data...)})
	return nil
}

func (m *mirror) Receive(ctx context.Context, buf []byte) (driver.Message, error) {
	message, err := m.inbox.Receive(ctx)
	return message.Into(buf), err
}

func (m *mirror) TryReceive(buf []byte) (driver.Message, bool, error) {
	message, ok, err := m.inbox.Pull()
	return message.Into(buf), ok, err
}

func (m *mirror) Close(context.Context, errors.CloseReason, string) error {
	m.inbox.End()
	return nil
}

func (m *mirror) Flush(context.Context) error { return nil }
func (m *mirror) Buffered() int               { return 0 }
func (m *mirror) Ending() *driver.Ending      { return &m.ending }

// A complete transport and a connection over it.
func ExampleTransport() {
	ctx := context.Background()
	conn := ws.NewConn(&mirror{}, nil)
	conn.Send(ctx, ws.Text("hello"))
	m, err := conn.Receive(ctx)
	fmt.Println(m, err)
	conn.Close(errors.NormalClosure, "")
	fmt.Println(conn.Send(ctx, ws.Text("more")))
	// Output:
	// hello <nil>
	// websocket: connection closed: 1000 (normal closure)
}

// A transport that gets messages by callback pushes them into an Inbox.
func ExampleInbox() {
	var inbox driver.Inbox
	onMessage := func(data []byte) { inbox.Push(driver.Message{Kind: driver.KindBinary, Data: data}) }
	onMessage([]byte("one"))
	inbox.End()

	for {
		m, err := inbox.Receive(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m)
	}
	// Output:
	// one
	// EOF
}

// A transport that holds a whole message can still return it from NextReader.
func ExampleReaderOf() {
	r := driver.ReaderOf(driver.Message{Kind: driver.KindText, Data: []byte("hello")})
	p := make([]byte, 3)
	for {
		n, err := r.Read(context.Background(), p)
		fmt.Printf("%s %q %v\n", r.Kind(), p[:n], err)
		if err != nil {
			return
		}
	}
	// Output:
	// text "hel" <nil>
	// text "lo" <nil>
	// text "" EOF
}

// An Ending keeps the first cause.
func ExampleEnding() {
	var ending driver.Ending
	ending.Notify(func() { fmt.Println("it has ended") })
	ending.Set(&errors.ConnectionClosed{Reason: errors.GoingAway, Remote: true})
	ending.Set(&errors.ConnectionClosed{Reason: errors.AbnormalClosure})
	fmt.Println(ending.Cause())
	// Output:
	// it has ended
	// websocket: connection closed by the peer: 1001 (going away)
}

// The bytes of a message are built once for all connections that frame it in the same
// way.
func ExampleForm() {
	p := new(driver.Prepared)
	p.Prepare(driver.Message{Kind: driver.KindText, Data: []byte("hello")})
	for range 2 {
		frame := driver.Form(p, "uncompressed", func(m driver.Message) []byte {
			fmt.Println("making the frame")
			return append([]byte{0x81, byte(len(m.Data))}, m.Data...)
		})
		fmt.Printf("%q\n", frame)
	}
	// Output:
	// making the frame
	// "\x81\x05hello"
	// "\x81\x05hello"
}
