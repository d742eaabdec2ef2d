package ws_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// A message that is generated while it is sent. To abandon it, end its context, so that the
// peer does not take the part that arrived for the whole message.
func ExampleConn_NextWriter() {
	client, server := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")

	send := func(source io.Reader) error {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w, err := client.NextWriter(ctx, ws.KindBinary)
		if err != nil {
			return err
		}
		z := gzip.NewWriter(w)
		if _, err := io.Copy(z, source); err != nil {
			return err // cancel abandons the message
		}
		if err := z.Close(); err != nil {
			return err
		}
		return w.Close()
	}
	go send(strings.NewReader(strings.Repeat("a long file\n", 1000)))

	_, r, err := server.NextReader(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	n, err := io.Copy(io.Discard, z)
	fmt.Println(n, err)
	// Output: 12000 <nil>
}

// A message that is used while it arrives.
func ExampleConn_NextReader() {
	client, server := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	go client.Send(context.Background(), ws.Text("one\ntwo\nthree\n"))

	kind, r, err := server.NextReader(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fmt.Println(kind, lines.Text())
	}
	fmt.Println(lines.Err())
	// Output:
	// text one
	// text two
	// text three
	// <nil>
}
