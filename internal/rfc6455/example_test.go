package rfc6455_test

import (
	"fmt"

	"github.com/isosocket/isosocket/internal/rfc6455"
)

// A read brought two frames and the beginning of a third.
func ExampleDecoder() {
	read := []byte("\x81\x05Hello\x89\x02hi\x82")

	var d rfc6455.Decoder
	d.Init(rfc6455.Client, 1<<20, nil)
	for {
		n, event, err := d.Decode(read)
		if err != nil {
			fmt.Println("fail the connection:", err)
			return
		}
		read = read[n:]
		switch event {
		case rfc6455.EventMessage:
			op, data := d.Message()
			fmt.Printf("%v message: %s\n", op, data)
		case rfc6455.EventPing:
			fmt.Printf("answer the ping %q\n", d.Control())
		case rfc6455.EventClose:
			code, message := d.Close()
			fmt.Println("closed:", code, message)
			return
		case rfc6455.EventNone:
			fmt.Println("read more")
			return
		}
	}
	// Output:
	// text message: Hello
	// answer the ping "hi"
	// read more
}

// Several frames in one buffer leave in one write.
func ExampleEncoder() {
	var e rfc6455.Encoder
	e.Init(rfc6455.Server, nil, rfc6455.DeflatePolicy{})

	var out []byte
	out, _ = e.AppendMessage(out, rfc6455.OpText, []byte("Hello"))
	out = e.AppendControl(out, rfc6455.OpPing, nil)
	out = e.AppendClose(out, 1000, "bye")
	fmt.Printf("%q\n", out)
	// Output: "\x81\x05Hello\x89\x00\x88\x05\x03\xe8bye"
}

// A message over the limit is refused by its header alone.
func ExampleError() {
	var d rfc6455.Decoder
	d.Init(rfc6455.Client, 100, nil)
	_, _, err := d.Decode([]byte{0x82, 126, 1000 >> 8, 1000 & 0xFF})
	fmt.Println(err)
	// Output: message of 1000 bytes: the limit is 100 bytes (close code 1009)
}

// The two sides of the handshake agree on permessage-deflate.
func ExampleAcceptOffer() {
	offered := rfc6455.DeflateParams{ServerNoContextTakeover: true}
	request := rfc6455.Offer(offered, false)
	fmt.Println("request: ", request)

	server, response := rfc6455.AcceptOffer([]string{request}, rfc6455.DeflateParams{ClientMaxWindowBits: 12}, false)
	fmt.Println("response:", response)

	client, err := rfc6455.AcceptResponse([]string{response}, &offered, false)
	fmt.Println("agreed:  ", *client == *server, err)
	// Output:
	// request:  permessage-deflate; server_no_context_takeover; client_max_window_bits, permessage-deflate; client_max_window_bits
	// response: permessage-deflate; server_no_context_takeover; client_max_window_bits=12
	// agreed:   true <nil>
}
