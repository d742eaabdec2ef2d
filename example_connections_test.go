//go:build !js

package isosocket_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// restlessServer greets each connection, and restarts behind the first message
// that it gets on one. Its third handshake it refuses.
func restlessServer() *httptest.Server {
	var handshakes atomic.Int64
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		if err := conn.Send(ctx, ws.Text("hello, "+conn.URL().Query().Get("token"))); err != nil {
			return err
		}
		if _, err := conn.Receive(ctx); err != nil {
			return err
		}
		return conn.Close(errors.ServiceRestart, "back soon")
	}, &server.Options{AnswerHeartbeat: &ws.Heartbeat{}})
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handshakes.Add(1) == 3 {
			http.Error(w, "The token has expired.", http.StatusUnauthorized)
			return
		}
		endpoint.ServeHTTP(w, r)
	}))
}

// A loop over connections that follow each other, until trying again makes no
// sense.
func ExampleConnections() {
	s := restlessServer()
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	options := &isosocket.ReconnectOptions{
		BaseDelay: time.Millisecond, // for an example that does not wait
		Prepare: func(ctx context.Context, a *isosocket.Attempt) error {
			a.URL += "?token=fresh" // fetch one here
			return nil
		},
		OnDown: func(d isosocket.Down) {
			fmt.Println("down:", d.Err)
			// d.Wait is for a countdown.
		},
	}
	for conn, err := range isosocket.Connections(ctx, s.URL, options) {
		if failed, ok := errors.AsType[*errors.ConnectionError](err); ok && failed.StatusCode == 401 {
			fmt.Println("sign in again")
			return
		}
		if err != nil {
			fmt.Println("over:", err)
			return
		}
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				break // the next connection, please
			}
			fmt.Println(m)
			conn.Send(ctx, ws.Text("thank you"))
		}
	}
	// Output:
	// hello, fresh
	// down: websocket: connection closed by the peer: 1012 (service restart): back soon
	// hello, fresh
	// down: websocket: connection closed by the peer: 1012 (service restart): back soon
	// sign in again
}

// One handle across reconnects. What was not confirmed when a connection broke
// is reported, not sent again: the peer may have it.
func ExampleClient() {
	s := exampleServer()
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	client := isosocket.NewClient(ctx, s.URL, &isosocket.ClientOptions{
		Reconnect: &isosocket.ReconnectOptions{
			Dial: &isosocket.DialOptions{Subprotocols: []string{"greeting"}},
		},
		Outbox: &isosocket.Outbox{},
		OnConnect: func(ctx context.Context, conn *ws.Conn) error {
			return conn.Send(ctx, ws.Text("me again")) // before anything else
		},
		OnLost: func(m ws.Message, err error) {
			fmt.Println("lost:", m, err)
		},
	})
	if err := client.Send(ctx, ws.Text("Ann")); err != nil { // waits in the outbox until there is a connection
		fmt.Println(err)
	}
	for range 2 {
		m, err := client.Receive(ctx)
		fmt.Println(m, err)
	}
	fmt.Println(client.Close(errors.NormalClosure, ""))
	<-client.Done()
	// Output:
	// hello, me again <nil>
	// hello, Ann <nil>
	// <nil>
}

// A UI follows the states.
func ExampleClient_Changes() {
	client := isosocket.NewClient(context.Background(), "http://127.0.0.1:1/", &isosocket.ClientOptions{
		Reconnect: &isosocket.ReconnectOptions{BaseDelay: time.Millisecond, MaxAttempts: 2},
	})
	for s := range client.Changes() {
		switch s.Phase {
		case isosocket.Connected:
			fmt.Println("here we go")
		case isosocket.Waiting:
			_ = time.Until(s.Next) // a countdown
		case isosocket.Closed:
			fmt.Println("gave up after", s.Attempts, "attempts")
		}
	}
	// Output: gave up after 2 attempts
}

// A Retry of one's own asks DefaultRetry about what it does not decide.
func ExampleDefaultRetry() {
	const roomFull errors.CloseReason = 4005
	retry := func(err error) bool {
		return errors.Is(err, roomFull) || isosocket.DefaultRetry(err)
	}
	for _, err := range []error{
		&errors.ConnectionClosed{Reason: roomFull, Remote: true},
		&errors.ConnectionClosed{Reason: errors.GoingAway, Remote: true},
		&errors.ConnectionClosed{Reason: errors.MessageTooBig},
		&errors.ConnectionError{StatusCode: 503},
		&errors.ConnectionError{StatusCode: 403},
	} {
		fmt.Println(retry(err))
	}
	// Output:
	// true
	// true
	// false
	// true
	// false
}
