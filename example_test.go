//go:build !js

package isosocket_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// Dial returns the HTTP status of a refusal, on every target.
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

// A context limits the wait, never the life of the connection.
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

// restlessServer greets each connection, and restarts after the first message that it
// gets on one. It refuses the third handshake.
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

// A loop over successive connections, until another attempt makes no sense.
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
				break // continue with the next connection
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

// One handle across reconnects. Messages that were not confirmed when a connection
// broke are reported, and not sent again, because the peer may have received them.
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

// Confirm waits until the server has received all sent messages.
func ExampleClient_Confirm() {
	s := exampleServer()
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	client := isosocket.NewClient(ctx, s.URL, &isosocket.ClientOptions{
		Reconnect: &isosocket.ReconnectOptions{
			Dial: &isosocket.DialOptions{Heartbeat: &ws.Heartbeat{}}, // Confirm needs one
		},
	})
	if err := client.Send(ctx, ws.Text("Ann")); err != nil {
		fmt.Println(err)
		return
	}
	err := client.Confirm(ctx)
	switch {
	case errors.Is(err, errors.ErrUnconfirmed):
		fmt.Println("the connection ended; the server may not have it:", err)
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println("the server has it")
	}
	if err := client.Close(errors.NormalClosure, ""); err != nil {
		fmt.Println(err)
	}
	<-client.Done()
	// Output: the server has it
}

// Flush before Close sends the messages in the outbox.
func ExampleClient_Flush() {
	s := exampleServer()
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	client := isosocket.NewClient(ctx, s.URL, &isosocket.ClientOptions{
		Outbox: &isosocket.Outbox{},
		OnLost: func(m ws.Message, err error) { fmt.Println("lost:", m, err) },
	})
	if err := client.Send(ctx, ws.Text("Ann")); err != nil { // there is no connection yet
		fmt.Println(err)
		return
	}
	fmt.Println(client.Flush(ctx))
	fmt.Println(client.Close(errors.NormalClosure, ""))
	<-client.Done()
	// Output:
	// <nil>
	// <nil>
}

// A callback that must not wait drops a position that cannot be sent now.
func ExampleClient_TrySend() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	client := isosocket.NewClient(ctx, "http://127.0.0.1:1/", nil) // no server listens there
	switch err := client.TrySend(ws.Text("x=3 y=7")); {
	case errors.Is(err, errors.ErrWouldBlock):
		fmt.Println("no connection, or no room: dropped")
	case err != nil:
		fmt.Println(err)
	}
	cancel()
	<-client.Done()
	// Output: no connection, or no room: dropped
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

// A custom Retry function calls DefaultRetry for errors that it does not decide itself.
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

// The status, the text and the Retry-After field of a refusal.
func ExampleDial_retryAfter() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("token") == "" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	for _, query := range []string{"", "?token=abc"} {
		_, err := isosocket.Dial(ctx, s.URL+"/"+query, nil)
		failed, ok := errors.AsType[*errors.ConnectionError](err)
		if !ok {
			fmt.Println(err)
			return
		}
		fmt.Println(failed.StatusCode, failed.Err, failed.Header["Retry-After"], "again:", isosocket.DefaultRetry(err))
	}
	// Output:
	// 401 Unauthorized: who are you? [] again: false
	// 503 Service Unavailable: too many connections [30] again: true
}

// A server whose certificate comes from a private authority.
func ExampleNativeOptions_tls() {
	s := httptest.NewTLSServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		return conn.Close(4000, "welcome")
	}, nil))
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	authorities := x509.NewCertPool()
	authorities.AddCert(s.Certificate())
	conn, err := isosocket.Dial(ctx, s.URL, &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		TLSConfig: &tls.Config{RootCAs: authorities},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = conn.Receive(ctx)
	fmt.Println(errors.Is(err, errors.CloseReason(4000)))

	// Without them the certificate is not trusted.
	_, err = isosocket.Dial(ctx, s.URL, nil)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	fmt.Println(untrusted)
	// Output:
	// true
	// true
}

// A connection through a proxy with its own user and password.
func ExampleNativeOptions_proxy() {
	proxy := &url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.UserPassword("ann", "secret")}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := isosocket.Dial(ctx, "wss://chat.example/", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		Proxy: http.ProxyURL(proxy),
	}})
	// No server listens there. The error names the proxy, without its password.
	fmt.Println(strings.HasPrefix(err.Error(), `websocket: cannot connect to "wss://chat.example/": proxy http://127.0.0.1:1: dial tcp`))
	// Output: true
}

// A full outbox drops the oldest message, which suits positions and prices.
func ExampleOutbox() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dropped := make(chan string, 1)
	client := isosocket.NewClient(ctx, "http://127.0.0.1:1/", &isosocket.ClientOptions{ // no server listens there
		Outbox: &isosocket.Outbox{MaxMessages: 1, Overflow: isosocket.DropOldest},
		OnLost: func(m ws.Message, err error) {
			if errors.Is(err, errors.ErrOutboxFull) {
				dropped <- m.String()
			}
		},
	})
	for _, text := range []string{"price 7", "price 8"} {
		if err := client.Send(ctx, ws.Text(text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("dropped:", <-dropped)
	cancel()
	<-client.Done()
	// Output: dropped: price 7
}

// visits is a server that counts the visits of each client in a cookie.
func visits() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visit := "first"
		if _, err := r.Cookie("visit"); err == nil {
			visit = "another"
		}
		http.SetCookie(w, &http.Cookie{Name: "visit", Value: visit})
		if conn, err := server.Accept(w, r, nil); err == nil {
			<-conn.Done()
		}
	}))
}

// The server's response to the handshake, on native targets. A jar keeps its cookies
// for the next Dial.
func ExampleDial_response() {
	s := visits()
	defer s.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		conn, err := isosocket.Dial(context.Background(), s.URL, &isosocket.DialOptions{
			Native: &isosocket.NativeOptions{HTTPClient: &http.Client{Jar: jar}},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		native := conn.Native()
		fmt.Println(native.Response().Status, native.Response().Cookies())
		fmt.Println(native.RemoteAddr().String() == s.Listener.Addr().String(), native.TLS() != nil)
		conn.Close(errors.NormalClosure, "")
	}
	// Output:
	// 101 Switching Protocols [visit=first]
	// true false
	// 101 Switching Protocols [visit=another]
	// true false
}
