//go:build !js

package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// An endpoint that answers each message with itself.
func ExampleHandler() {
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	s := httptest.NewServer(endpoint)
	defer s.Close()

	conn, err := isosocket.Dial(context.Background(), s.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	conn.Send(context.Background(), ws.Text("hello"))
	m, err := conn.Receive(context.Background())
	fmt.Println(m, err)
	// Output: hello <nil>
}

// The request remains available, with the values of its path.
func ExampleConn_Request() {
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		r := conn.Request()
		return conn.Send(ctx, ws.Text(r.PathValue("room")+", "+r.Host))
	}, nil)
	mux := http.NewServeMux()
	mux.Handle("/rooms/{room}", endpoint)
	s := httptest.NewServer(mux)
	defer s.Close()
	defer endpoint.Shutdown(context.Background())

	conn, err := isosocket.Dial(context.Background(), s.URL+"/rooms/kitchen", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := conn.Receive(context.Background())
	fmt.Println(m.String() == "kitchen, "+s.Listener.Addr().String(), err)
	// Output: true <nil>
}

// A CloseReason that is returned closes with it.
func ExampleHandler_closeReason() {
	const signedOut errors.CloseReason = 4001
	s := httptest.NewServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		if _, err := (&http.Request{Header: conn.Header()}).Cookie("session"); err != nil {
			return signedOut
		}
		return conn.Send(ctx, ws.Text("welcome"))
	}, nil))
	defer s.Close()

	for _, cookie := range []string{"session=1", "other=2"} {
		conn, err := isosocket.Dial(context.Background(), s.URL, &isosocket.DialOptions{
			Header: http.Header{"Cookie": {cookie}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		for m, err := range conn.Messages(context.Background()) {
			fmt.Println(m, err)
		}
		conn.Close(errors.NormalClosure, "")
	}
	// Output:
	// welcome <nil>
	//  websocket: connection closed by the peer: 4001 (private application reason, 4000-4999)
}

// Shutdown sends all clients away, and waits for the functions that serve them.
func ExampleEndpoint_Shutdown() {
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		<-ctx.Done()
		return nil
	}, nil)
	s := httptest.NewServer(endpoint)
	defer s.Close()
	conn, err := isosocket.Dial(context.Background(), s.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		endpoint.Shutdown(ctx)
	}()
	_, err = conn.Receive(context.Background())
	fmt.Println(errors.Is(err, errors.GoingAway))
	conn.Close(errors.NormalClosure, "")
	// Output: true
}

// Drain lets each function finish its work, and then closes its connection.
func ExampleEndpoint_Drain() {
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		if err := conn.Send(ctx, ws.Text("working")); err != nil {
			return err
		}
		<-ctx.Done() // Drain asks to finish
		return conn.Send(context.Background(), ws.Text("your work is saved"))
	}, nil)
	s := httptest.NewServer(endpoint)
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := isosocket.Dial(ctx, s.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	fmt.Println(conn.Receive(ctx))

	drained := make(chan error, 1)
	go func() {
		drained <- endpoint.Drain(ctx, &server.DrainOptions{
			Spread:  10 * time.Millisecond,
			Reason:  errors.ServiceRestart,
			Message: "new version",
		})
	}()
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(m)
	}
	fmt.Println(<-drained)
	// Output:
	// working <nil>
	// your work is saved
	// websocket: connection closed by the peer: 1012 (service restart): new version
	// <nil>
}

// Accept is for handlers that manage the connection themselves.
func ExampleAccept() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := server.Accept(w, r, &server.Options{
			ChooseSubprotocol: func(r *http.Request, offered []string) string { return offered[0] },
		})
		if err != nil {
			return // the request has been answered
		}
		conn.Send(context.Background(), ws.Text("this is "+conn.Subprotocol()+" at "+conn.URL().Path))
		conn.Close(errors.NormalClosure, "that was all")
	}))
	defer s.Close()

	conn, err := isosocket.Dial(context.Background(), s.URL+"/news", &isosocket.DialOptions{Subprotocols: []string{"ticker"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	m, err := conn.Receive(context.Background())
	fmt.Println(m, err)
	// Output: this is ticker at /news <nil>
}

// A request that is not a handshake gets a sentence.
func ExampleHandler_refusal() {
	s := httptest.NewServer(server.Handler(func(context.Context, *server.Conn) error { return nil }, nil))
	defer s.Close()
	response, err := http.Get(s.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Printf("%s\n%s", response.Status, body)
	// Output:
	// 426 Upgrade Required
	// This is a WebSocket endpoint: connect with a WebSocket client.
}

// A server decides who may connect and from where, and limits how much it accepts.
func ExampleOptions() {
	s := httptest.NewServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		return conn.Send(ctx, ws.Text("hello, "+conn.Principal().(string)))
	}, &server.Options{
		Authorize: func(r *http.Request) (any, error) {
			user, _, ok := r.BasicAuth()
			if !ok {
				return nil, fmt.Errorf("no user")
			}
			return user, nil
		},
		OriginPatterns: []string{"https://app.example.com"},
		MaxMessageSize: 64 << 10,
	}))
	defer s.Close()
	ctx := context.Background()

	_, err := isosocket.Dial(ctx, s.URL, nil)
	if failed, ok := errors.AsType[*errors.ConnectionError](err); ok {
		fmt.Println("refused with", failed.StatusCode)
	}
	conn, err := isosocket.Dial(ctx, s.URL, &isosocket.DialOptions{
		Header: http.Header{"Authorization": {"Basic YW5uOnNlY3JldA=="}}, // ann:secret
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	fmt.Println(conn.Receive(ctx))
	// Output:
	// refused with 403
	// hello, ann <nil>
}

// Stop spreads the ends of the connections over time, so clients do not all reconnect at once.
func ExampleStop() {
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		<-ctx.Done()
		return nil
	}, nil)
	s := httptest.NewServer(endpoint)
	defer s.Close()
	conn, err := isosocket.Dial(context.Background(), s.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	stopped := make(chan error, 1)
	go func() { // in a program: after signal.NotifyContext has ended
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		stopped <- server.Stop(ctx, s.Config, &server.DrainOptions{Spread: 10 * time.Millisecond}, endpoint)
	}()
	_, err = conn.Receive(context.Background())
	fmt.Println(err)
	conn.Close(errors.NormalClosure, "")
	fmt.Println(<-stopped)
	// Output:
	// websocket: connection closed by the peer: 1012 (service restart): server restarting
	// <nil>
}

// A Listener closes the connections of a flood before it reads from them.
func ExampleListener() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	limits := &server.Limits{MaxConnectionsPerAddress: 1}
	limited, err := server.Listener(l, limits)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := &http.Server{Handler: server.Handler(nil, &server.Options{Limits: limits}), ReadHeaderTimeout: 5 * time.Second}
	go s.Serve(limited)
	defer s.Close()

	silent, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer silent.Close()
	_, err = http.Get("http://" + l.Addr().String())
	fmt.Println("a second connection fails:", err != nil)
	// Output: a second connection fails: true
}

// The Logger gets a record for each limit that a peer has reached, at Debug.
func ExampleLimit() {
	var log strings.Builder
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		_, err := conn.Receive(ctx)
		return err
	}, &server.Options{
		MaxMessageSize: 10,
		Logger:         slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	s := httptest.NewServer(endpoint)
	defer s.Close()

	conn, err := isosocket.Dial(context.Background(), s.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	conn.Send(context.Background(), ws.Text("a message of more than ten bytes"))
	_, err = conn.Receive(context.Background())
	fmt.Println(errors.Is(err, errors.MessageTooBig))

	endpoint.Shutdown(context.Background()) // waits until nothing writes to the log
	fmt.Println(strings.Contains(log.String(), "limit="+string(server.LimitMessageSize)))
	// Output:
	// true
	// true
}

// A server behind a proxy whose clients share the address of an office.
func ExampleLimits() {
	s := httptest.NewServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		_, err := conn.Receive(ctx)
		return err
	}, &server.Options{Limits: &server.Limits{
		MaxConnectionsPerAddress: 2,
		HandshakeRate:            -1, // the proxy limits them
		TrustedProxies:           []string{"127.0.0.1", "10.0.0.0/8"},
	}}))
	defer s.Close()

	for range 3 {
		conn, err := isosocket.Dial(context.Background(), s.URL, &isosocket.DialOptions{
			Header: http.Header{"X-Forwarded-For": {"203.0.113.7"}}, // as the proxy does
		})
		if refused, ok := errors.AsType[*errors.ConnectionError](err); ok {
			fmt.Println(refused.StatusCode, http.Header(refused.Header).Get("Retry-After"))
			return
		}
		defer conn.CloseNow(errors.NormalClosure, "")
		fmt.Println("connected")
	}
	// Output:
	// connected
	// connected
	// 429 5
}

// The counters of an endpoint.
func ExampleEndpoint_Stats() {
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		m, err := conn.Receive(ctx)
		if err != nil {
			return err
		}
		return conn.Send(ctx, m)
	}, nil)
	s := httptest.NewServer(endpoint)
	defer s.Close()

	ctx := context.Background()
	conn, err := isosocket.Dial(ctx, s.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	conn.Send(ctx, ws.Text("hello"))
	conn.Receive(ctx)
	<-conn.Done()
	endpoint.Shutdown(ctx)

	stats := endpoint.Stats()
	fmt.Println(stats.Open, "open of", stats.Accepted, "connections")
	fmt.Println("received", stats.Received.Messages, "message of", stats.Received.Bytes, "bytes,", stats.Received.WireBytes > 0)
	for closing, n := range stats.Closed {
		fmt.Println(n, "closed with", closing.Reason)
	}
	// Output:
	// 0 open of 1 connections
	// received 1 message of 5 bytes, true
	// 1 closed with 1000 (normal closure)
}

// An observer that logs refusals and ends.
func ExampleObserver() {
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		return errors.CloseReason(4001)
	}, &server.Options{
		Authorize: func(r *http.Request) (any, error) {
			if r.URL.Query().Get("ticket") == "" {
				return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized}
			}
			return nil, nil
		},
		Observer: &server.Observer{
			HandshakeEnd: func(r *http.Request, result server.HandshakeResult) {
				fmt.Println("handshake:", result.Status)
			},
			ConnectionEnd: func(ctx context.Context, conn *server.Conn, result server.ConnectionResult) {
				fmt.Println("connection:", result.Closed.Reason)
			},
		},
	})
	s := httptest.NewServer(endpoint)
	defer s.Close()

	for _, path := range []string{"/", "/?ticket=1"} {
		if conn, err := isosocket.Dial(context.Background(), s.URL+path, nil); err == nil {
			<-conn.Done()
		}
	}
	endpoint.Shutdown(context.Background())
	// Output:
	// handshake: 401
	// handshake: 101
	// connection: 4001 (private application reason, 4000-4999)
}

// A function is called for each message, and a silent connection holds no goroutine.
func ExampleMessages() {
	endpoint := server.Messages(func(ctx context.Context, conn *server.Conn, m ws.Message) error {
		return conn.Send(ctx, ws.Text(strings.ToUpper(m.String())))
	}, &server.Options{Detach: true})
	s := httptest.NewServer(endpoint)
	defer s.Close()

	ctx := context.Background()
	conn, err := isosocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := conn.Send(ctx, ws.Text("hello")); err != nil {
		fmt.Println(err)
	}
	m, err := conn.Receive(ctx)
	fmt.Println(m, err)
	conn.Close(errors.NormalClosure, "")
	// Output: HELLO <nil>
}
