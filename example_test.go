//go:build !js

package isosocket_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// exampleServer answers every message with a greeting, until it hears "bye".
func exampleServer() *httptest.Server {
	return httptest.NewServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if m.String() == "bye" {
				return conn.Close(4000, "see you")
			}
			if err := conn.Send(ctx, ws.Text("hello, "+m.String())); err != nil {
				return err
			}
		}
		return nil
	}, &server.Options{Subprotocols: []string{"greeting"}}))
}

// The whole life of a connection.
func Example() {
	s := exampleServer()
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	conn, err := isosocket.Dial(ctx, s.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	for _, text := range []string{"Ann", "Bob", "bye"} {
		if err := conn.Send(ctx, ws.Text(text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	for m, err := range conn.Messages(ctx) {
		if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
			fmt.Println("the server closed with", uint16(closed.Reason), closed.Message)
			return
		}
		fmt.Println(m)
	}
	// Output:
	// hello, Ann
	// hello, Bob
	// the server closed with 4000 see you
}

// Subprotocols are offered in order of preference.
func ExampleDial() {
	s := exampleServer()
	defer s.Close()
	conn, err := isosocket.Dial(context.Background(), s.URL, &isosocket.DialOptions{
		Subprotocols:     []string{"greeting.v2", "greeting"},
		HandshakeTimeout: 5 * time.Second,
		MaxMessageSize:   64 << 10,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conn.Subprotocol())
	fmt.Println(conn.Close(errors.NormalClosure, "done"))
	// Output:
	// greeting
	// <nil>
}

// A refusal tells its status, on every target.
func ExampleDial_refused() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
	}))
	defer s.Close()
	_, err := isosocket.Dial(context.Background(), s.URL, nil)
	if failed, ok := errors.AsType[*errors.ConnectionError](err); ok {
		fmt.Println(failed.StatusCode, failed.Err)
	}
	// Output: 401 Unauthorized: who are you?
}

// A context bounds the wait, never the connection.
func ExampleDial_wait() {
	s := exampleServer()
	defer s.Close()
	conn, err := isosocket.Dial(context.Background(), s.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	_, err = conn.Receive(ctx)
	cancel()
	fmt.Println(errors.Is(err, context.DeadlineExceeded), conn.Err())

	conn.Send(context.Background(), ws.Text("Ann"))
	m, err := conn.Receive(context.Background())
	fmt.Println(m, err)
	// Output:
	// true <nil>
	// hello, Ann <nil>
}

// A Unix socket, which a browser could not open.
func ExampleNativeOptions() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "greeting.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := exampleServer()
	defer s.Close()
	go http.Serve(l, s.Config.Handler)
	defer l.Close()

	conn, err := isosocket.Dial(context.Background(), "ws://localhost/", &isosocket.DialOptions{
		Native: &isosocket.NativeOptions{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", path)
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	conn.Send(context.Background(), ws.Text("socket"))
	m, err := conn.Receive(context.Background())
	fmt.Println(m, err)
	// Output: hello, socket <nil>
}
