//go:build !js

package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/internal/testing/conversation"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

var errCut = errors.New("the stream was cut")

// TestHTTP2CutEverywhere: a stream that ends after any byte of a conversation, in any of four ways,
// delivers its complete messages, and then the right end. The bytes come in one DATA frame, and in a
// frame each. Time is synctest's, which also fails if a goroutine is left.
func TestHTTP2CutEverywhere(t *testing.T) {
	cuts := []struct {
		name string
		cut  func(f *framer, id uint32)
		err  error // as conversation.WrongEnd takes it
	}{
		{"END_STREAM", func(f *framer, id uint32) { f.must(f.WriteData(id, true, nil)) }, io.EOF},
		{"RST_STREAM", func(f *framer, id uint32) { f.must(f.WriteRSTStream(id, http2.ErrCodeCancel)) }, errCut},
		{"the end of the connection", func(f *framer, _ uint32) { f.conn.Close() }, errCut},
		{"silence", func(*framer, uint32) {}, nil},
	}
	for form, deflate := range map[string]*rfc6455.DeflateParams{"plain": nil, "compressed": {}} {
		c := conversation.New(rfc6455.Client, deflate)
		for _, cut := range cuts {
			for delivery, step := range map[string]int{"one frame": 1 << 14, "a byte a frame": 1} {
				t.Run(fmt.Sprintf("%s/%s/%s", form, cut.name, delivery), func(t *testing.T) {
					for n := range len(c.Wire) + 1 {
						synctest.Test(t, func(t *testing.T) {
							got, closed := cutStream(t, c.Wire[:n], step, deflate != nil, cut.cut)
							// net/http names the loss in its own words.
							if cut.err == errCut && closed != nil && closed.Err != nil && !errors.Is(closed.Err, io.EOF) {
								closed.Err = errCut
							}
							if wrong := c.WrongEnd(n, got, closed, cut.err); wrong != "" {
								t.Fatalf("cut after %d of %d bytes: %s", n, len(c.Wire), wrong)
							}
						})
					}
				})
			}
		}
	}
}

// cutStream sends wire to a server, in DATA frames of step bytes, and cuts the stream. It returns what the
// server received, and the end.
func cutStream(t *testing.T, wire []byte, step int, compressed bool, cut func(*framer, uint32)) (got []string, closed *errors.ConnectionClosed) {
	began, ended := make(chan struct{}), make(chan struct{})
	o := &server.Options{PingInterval: time.Second, PingTimeout: time.Second}
	var fields []string
	if compressed {
		o.Compression = &ws.Compression{ContextTakeover: true}
		fields = []string{"sec-websocket-extensions", "permessage-deflate"}
	}
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		defer close(ended)
		close(began)
		for {
			m, err := conn.Receive(ctx)
			if err != nil {
				// ctx has ended with the connection.
				closed, _ = errors.AsType[*errors.ConnectionClosed](conn.Err())
				return err
			}
			got = append(got, m.String())
		}
	}, o)
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	s := &http.Server{Handler: e, Protocols: new(http.Protocols)}
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(l)
	near, far := net.Pipe()
	l.conns <- far
	f := newFramer(t, near, 1<<16)
	f.scheme = "http"
	id, status := f.open(fields...)
	if status != "200" {
		t.Fatal(status)
	}
	reading := make(chan struct{})
	go func() { // so that the server can write
		defer close(reading)
		io.Copy(io.Discard, f.conn)
	}()
	for rest := bytes.Clone(wire); len(rest) > 0; {
		size := min(step, len(rest))
		f.must(f.WriteData(id, false, rest[:size]))
		rest = rest[size:]
	}
	<-began // else a client that is gone may count as gone before the answer
	cut(f, id)
	<-ended
	f.conn.Close()
	<-reading
	mustShutdown(t, e)
	s.Close()
	return got, closed
}
