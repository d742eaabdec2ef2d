//go:build !js

package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// record holds the calls of an observer, in order.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}

type observedKey struct{}

// observer returns an Observer that writes to r, and whose contexts have a value.
func (r *record) observer(t *testing.T) *server.Observer {
	mark := func(ctx context.Context) string { s, _ := ctx.Value(observedKey{}).(string); return s }
	return &server.Observer{
		HandshakeStart: func(req *http.Request) context.Context {
			r.add("start %s", req.URL.Path)
			return context.WithValue(req.Context(), observedKey{}, "handshake")
		},
		HandshakeEnd: func(req *http.Request, result server.HandshakeResult) {
			if result.Duration <= 0 {
				t.Errorf("the handshake took %v", result.Duration)
			}
			r.add("handshake in %s: %d %v %v", mark(req.Context()), result.Status, result.Probe, result.Err)
		},
		ConnectionStart: func(ctx context.Context, req *http.Request, conn *server.Conn) context.Context {
			r.add("connection in %s and %s: %s", mark(ctx), mark(req.Context()), conn.URL().Path)
			return context.WithValue(ctx, observedKey{}, "connection")
		},
		LimitStruck: func(limit server.Limit, conn *server.Conn) {
			r.add("limit %s: %s", limit, conn.URL().Path)
		},
		ConnectionEnd: func(ctx context.Context, conn *server.Conn, result server.ConnectionResult) {
			if result.Duration <= 0 || result.Received.WireBytes == 0 || result.Sent.WireBytes == 0 {
				t.Errorf("the result is %+v", result)
			}
			r.add("end in %s of %s: %v; %v; %d, %d", mark(ctx), conn.URL().Path, result.Closed, result.Failure, result.Received.Messages, result.Sent.Messages)
		},
	}
}

func TestObserver(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options server.Options
		path    string
		serve   func(ctx context.Context, conn *server.Conn) error
		then    func(conn *ws.Conn)
		want    string
	}{
		{
			name: "an echo that the peer closes", serve: echo,
			then: func(conn *ws.Conn) {
				conn.Send(t.Context(), ws.Text("hello"))
				conn.Receive(t.Context())
				conn.Close(4001, "enough")
			},
			want: "start /\nhandshake in handshake: 101 false <nil>\nconnection in handshake and handshake: /\n" +
				"end in connection of /: websocket: connection closed by the peer: 4001 (private application reason, 4000-4999): enough; <nil>; 1, 1",
		},
		{
			name: "detached", options: server.Options{Detach: true}, serve: echo,
			then: func(conn *ws.Conn) { conn.Close(errors.NormalClosure, "") },
			want: "start /\nhandshake in handshake: 101 false <nil>\nconnection in  and handshake: /\n" +
				"end in connection of /: websocket: connection closed by the peer: 1000 (normal closure); <nil>; 0, 0",
		},
		{
			name: "a function that fails",
			serve: func(ctx context.Context, conn *server.Conn) error {
				if got := ctx.Value(observedKey{}); got != "connection" {
					t.Errorf("the function's context has %v", got)
				}
				return io.ErrNoProgress
			},
			then: func(conn *ws.Conn) { conn.Receive(t.Context()) },
			want: "start /\nhandshake in handshake: 101 false <nil>\nconnection in handshake and handshake: /\n" +
				"end in connection of /: websocket: connection closed: 1011 (internal error): internal error; multiple Read calls return no data or error; 0, 0",
		},
		{
			name: "a function that panics", options: server.Options{Logger: new(logBuffer).logger()},
			serve: func(context.Context, *server.Conn) error { panic("boom") },
			then:  func(conn *ws.Conn) { conn.Receive(t.Context()) },
			want: "start /\nhandshake in handshake: 101 false <nil>\nconnection in handshake and handshake: /\n" +
				"end in connection of /: websocket: connection closed: 1011 (internal error): internal error; panic: boom; 0, 0",
		},
		{
			name: "a limit", options: server.Options{MaxMessageSize: 10}, serve: echo,
			then: func(conn *ws.Conn) {
				conn.Send(t.Context(), ws.Text("more than ten"))
				conn.Receive(t.Context())
			},
			want: "start /\nhandshake in handshake: 101 false <nil>\nconnection in handshake and handshake: /\nlimit message_size: /\n" +
				"end in connection of /: websocket: connection closed: 1009 (message too big): message of 13 bytes: the limit is 10 bytes; <nil>; 0, 0",
		},
		{
			name: "a refusal", serve: echo,
			options: server.Options{Authorize: func(r *http.Request) (any, error) {
				if got := r.Context().Value(observedKey{}); got != "handshake" {
					t.Errorf("Authorize's context has %v", got)
				}
				return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized}
			}},
			want: "start /\nhandshake in handshake: 401 false websocket: cannot connect to \"ws://HOST/\": HTTP status 401: websocket: cannot connect: HTTP status 401",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var r record
			o := test.options
			o.Observer = r.observer(t)
			e, s := startEndpoint(t, test.serve, &o)
			conn, err := isosocket.Dial(timeout(t), s.URL+"/", nil)
			if (err != nil) != (test.then == nil) {
				t.Fatal(err)
			}
			if conn != nil {
				test.then(conn)
				conn.Close(errors.NormalClosure, "")
			}
			mustShutdown(t, e)
			got := strings.ReplaceAll(r.String(), strings.TrimPrefix(s.URL, "http://"), "HOST")
			if got != test.want {
				t.Errorf("the observer recorded\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestObserverOfProbesAndPanics(t *testing.T) {
	t.Parallel()
	var r record
	e, s := startEndpoint(t, echo, &server.Options{
		Observer: r.observer(t),
		Authorize: func(r *http.Request) (any, error) {
			if r.URL.Path == "/panic" {
				panic(http.ErrAbortHandler)
			}
			return nil, nil
		},
	})
	probe, _ := http.NewRequestWithContext(timeout(t), "GET", s.URL+"/probe", nil)
	probe.Header.Set("Accept", "application/vnd.isosocket.handshake")
	answer, err := s.Client().Do(probe)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if _, err := isosocket.Dial(timeout(t), s.URL+"/panic", nil); err == nil {
		t.Error("Dial succeeded")
	}
	mustShutdown(t, e)
	s.Close()
	if got, want := r.String(), "start /probe\nhandshake in handshake: 200 true <nil>\n"+
		"start /panic\nhandshake in handshake: 0 false websocket: a function panicked before the handshake was answered"; got != want {
		t.Errorf("the observer recorded\n%s\nwant\n%s", got, want)
	}
}

// TestPanicOfAnObserver: it ends no connection, holds no lock and leaks nothing.
func TestPanicOfAnObserver(t *testing.T) {
	t.Parallel()
	for _, detach := range []bool{false, true} {
		var logged logBuffer
		e, s := startEndpoint(t, echo, &server.Options{
			Logger: logged.logger(), Detach: detach, MaxMessageSize: 10,
			Observer: &server.Observer{
				HandshakeEnd:    func(*http.Request, server.HandshakeResult) { panic("first") },
				ConnectionStart: func(context.Context, *http.Request, *server.Conn) context.Context { panic("second") },
				LimitStruck:     func(server.Limit, *server.Conn) { panic("third") },
				ConnectionEnd:   func(context.Context, *server.Conn, server.ConnectionResult) { panic("fourth") },
			},
		})
		conn := dial(t, s, nil)
		conn.Send(timeout(t), ws.Text("hello"))
		if m, err := conn.Receive(timeout(t)); err != nil || m.String() != "hello" {
			t.Errorf("Receive = %v, %v", m, err)
		}
		conn.Send(timeout(t), ws.Text("more than ten"))
		assertEnd(t, conn, errors.MessageTooBig, "message of 13 bytes: the limit is 10 bytes")
		mustShutdown(t, e)
		for _, want := range []string{"panic=first", "panic=second", "panic=third", "panic=fourth", `msg="websocket: observer panicked"`, "observer_test.go"} {
			if !strings.Contains(logged.String(), want) {
				t.Errorf("%s is not in the log %s", want, &logged)
			}
		}
		if stats := e.Stats(); sum(stats.Closed) != 1 || stats.Open != 0 {
			t.Errorf("the stats are %+v", stats)
		}
	}
}

// TestObserverMayAsk: a slow observer that calls the permitted methods delays its own
// connection only.
func TestObserverMayAsk(t *testing.T) {
	t.Parallel()
	var e *server.Endpoint
	proceed := make(chan struct{})
	e, s := startEndpoint(t, echo, &server.Options{Observer: &server.Observer{
		HandshakeEnd: func(*http.Request, server.HandshakeResult) { e.Len(); e.Stats() },
		ConnectionStart: func(ctx context.Context, r *http.Request, conn *server.Conn) context.Context {
			e.Stats()
			conn.Send(ctx, ws.Text("welcome"))
			return nil
		},
		ConnectionEnd: func(ctx context.Context, conn *server.Conn, _ server.ConnectionResult) {
			if e.Len() == 0 || e.Stats().Open == 0 || ctx.Err() == nil || conn.Err() == nil {
				t.Errorf("at its end, %d are open, and the context has ended with %v", e.Len(), ctx.Err())
			}
			if conn.URL().Path == "/slow" {
				<-proceed
			}
		},
	}})
	slow, err := isosocket.Dial(timeout(t), s.URL+"/slow", nil)
	if err != nil {
		t.Fatal(err)
	}
	slow.Close(errors.NormalClosure, "")
	conn := dial(t, s, nil)
	if m, err := conn.Receive(timeout(t)); err != nil || m.String() != "welcome" {
		t.Errorf("Receive = %v, %v", m, err)
	}
	conn.Close(errors.NormalClosure, "")
	for end := timeout(t); e.Len() != 1 && end.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := e.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown during ConnectionEnd = %v", err)
	}
	close(proceed)
	mustShutdown(t, e)
}

// TestNoSecretIsLogged: in no case does a record have anything of a query, a cookie, a
// field Authorization or an offered subprotocol, each of which may hold a token.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	const marker = "s3cr3t"
	serve := func(ctx context.Context, conn *server.Conn) error {
		switch conn.URL().Path {
		case "/panic":
			panic("boom")
		case "/fail":
			return io.ErrNoProgress
		}
		return echo(ctx, conn)
	}
	for _, test := range []struct {
		name    string
		options server.Options
		method  string
		path    string
		header  []string
		stop    bool
		want    string // in the log
	}{
		{name: "accepted", path: "/", want: "connection ended"},
		{name: "an error", path: "/fail", want: "handler failed"},
		{name: "a panic", path: "/panic", want: "handler panicked"},
		{name: "a limit", path: "/", options: server.Options{MaxMessageSize: 1}, want: "limit reached"},
		{name: "an origin", path: "/", header: []string{"Origin: https://elsewhere.example"}, want: "may not connect"},
		{name: "not authorized", path: "/", options: server.Options{Authorize: func(r *http.Request) (any, error) {
			return nil, errors.New("unknown")
		}}, want: "status=403"},
		{name: "a status of Authorize's that is invalid", path: "/", options: server.Options{Authorize: func(r *http.Request) (any, error) {
			return nil, &errors.ConnectionError{StatusCode: 101}
		}}, want: "status=500"},
		{name: "a choice that was not offered", path: "/", options: server.Options{ChooseSubprotocol: func(r *http.Request, offered []string) string {
			return "other"
		}}, want: "ChooseSubprotocol chose"},
		{name: "a bad key", path: "/", header: []string{"Sec-WebSocket-Key: short"}, want: "status=400"},
		{name: "a dropped field", path: "/", header: []string{"Upgrade: "}, want: "status=426"},
		{name: "another method", path: "/", method: "POST", want: "status=405"},
		{name: "a bad option", path: "/", options: server.Options{PingTimeout: -1}, want: "status=500"},
		{name: "too late", path: "/", stop: true, want: "status=503"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var logged logBuffer
			o := test.options
			o.Logger = logged.logger()
			e, s := startEndpoint(t, serve, &o)
			if test.stop {
				mustShutdown(t, e)
			}
			method := test.method
			if method == "" {
				method = "GET"
			}
			request := []string{
				method + " " + test.path + "?ticket=" + marker + " HTTP/1.1", "Host: example.com", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
				"Cookie: session=" + marker, "Authorization: Bearer " + marker, "Sec-WebSocket-Protocol: " + marker, "X-Api-Key: " + marker,
			}
			for _, field := range []string{"Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="} {
				name, _, _ := strings.Cut(field, ":")
				if !strings.Contains(strings.Join(test.header, "\n"), name+":") {
					request = append(request, field)
				}
			}
			_, raw, _ := roundTrip(t, s, append(request, test.header...), 0x81, 0x82, 0, 0, 0, 0, 'h', 'i')
			for end := timeout(t); !strings.Contains(logged.String(), test.want) && end.Err() == nil; {
				if test.name == "accepted" {
					raw.Close()
				}
				time.Sleep(time.Millisecond)
			}
			raw.Close()
			mustShutdown(t, e)
			if got := logged.String(); strings.Contains(got, marker) || !strings.Contains(got, test.want) {
				t.Errorf("the log is %q, want %q in it, and not %q", got, test.want, marker)
			}
		})
	}
}
