//go:build !js

package server_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// Each way in which a function learns that its connection is drained, and what it may still
// do then.
func TestDrainEndsTheContextFirst(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		serve func(ctx context.Context, conn *server.Conn) error
	}{
		{"in Receive", func(ctx context.Context, conn *server.Conn) error {
			_, err := conn.Receive(ctx)
			if sent := conn.Send(ctx, ws.Text("result")); sent != nil {
				return sent
			}
			return err
		}},
		{"in Messages", func(ctx context.Context, conn *server.Conn) error {
			for _, err := range conn.Messages(ctx) {
				if err != nil {
					conn.Send(context.Background(), ws.Text("result"))
					return err
				}
			}
			return nil
		}},
		{"in Receive with a derived context", func(ctx context.Context, conn *server.Conn) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			conn.Receive(ctx)
			return conn.Send(context.WithoutCancel(ctx), ws.Text("result"))
		}},
		{"by Done", func(ctx context.Context, conn *server.Conn) error {
			<-ctx.Done()
			conn.Send(context.Background(), ws.Text("result"))
			return ctx.Err()
		}},
		{"by Err, after a while", func(ctx context.Context, conn *server.Conn) error {
			for ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(20 * time.Millisecond) // a slow job
			return conn.Send(context.Background(), ws.Text("result"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			serving := make(chan struct{})
			var cause error
			e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
				close(serving)
				defer func() { cause = context.Cause(ctx) }()
				return test.serve(ctx, conn)
			}, nil)
			conn := dial(t, s, nil)
			<-serving
			drained := make(chan error)
			go func() { drained <- e.Drain(timeout(t), &server.DrainOptions{Message: "new version"}) }()
			if m, err := conn.Receive(timeout(t)); err != nil || m.String() != "result" {
				t.Errorf("Receive = %v, %v, want the result", m, err)
			}
			assertEnd(t, conn, errors.ServiceRestart, "new version")
			if err := <-drained; err != nil {
				t.Errorf("Drain = %v", err)
			}
			if closed, ok := errors.AsType[*errors.ConnectionClosed](cause); !ok || closed.Reason != errors.ServiceRestart || closed.Remote {
				t.Errorf("the context's cause is %v", cause)
			}
		})
	}
}

func TestDrainReason(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options *server.DrainOptions
		err     error // of the function
		reason  errors.CloseReason
		message string
	}{
		{"default", nil, nil, errors.ServiceRestart, "server restarting"},
		{"chosen", &server.DrainOptions{Reason: errors.GoingAway, Message: "bye"}, nil, errors.GoingAway, "bye"},
		{"the function's", nil, errors.CloseReason(4000), 4000, ""},
		{"a failure", nil, errors.New("broken"), errors.InternalError, "internal error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			serving := make(chan struct{})
			e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
				close(serving)
				<-ctx.Done()
				return test.err
			}, nil)
			conn := dial(t, s, nil)
			<-serving
			go e.Drain(timeout(t), test.options)
			assertEnd(t, conn, test.reason, test.message)
		})
	}
	if err := server.Handler(echo, nil).Drain(t.Context(), &server.DrainOptions{Reason: 1005}); !errors.Is(err, errors.ErrInvalidCloseReason) || !strings.Contains(err.Error(), "DrainOptions.Reason") {
		t.Errorf("Drain = %v with a reason that may not be sent", err)
	}
}

// A drain is spread, every client learns the reason, and new handshakes are refused.
func TestDrainSpreads(t *testing.T) {
	t.Parallel()
	const n, spread = 50, 500 * time.Millisecond
	e, s := startEndpoint(t, echo, nil)
	ends := make(chan time.Time, n)
	for range n {
		conn := dial(t, s, nil)
		go func() {
			assertEnd(t, conn, errors.ServiceRestart, "server restarting")
			ends <- time.Now()
		}()
	}
	for e.Len() < n {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	drained := make(chan error)
	go func() {
		drained <- e.Drain(timeout(t), &server.DrainOptions{Spread: spread, RetryAfter: 1500 * time.Millisecond})
	}()
	for e.Len() == n {
		time.Sleep(time.Millisecond)
	}
	response, _, _ := roundTrip(t, s, goodRequest)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "2" {
		t.Errorf("a handshake is answered with %d, Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
	early := 0
	for range n {
		if (<-ends).Sub(began) < spread/2 {
			early++
		}
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	// Half of them are due by then. A slow machine ends them later, never earlier.
	if early > n/2+1 {
		t.Errorf("%d of %d connections ended in the first half of the spread", early, n)
	}
	if lasted := time.Since(began); lasted < spread*(n-1)/n {
		t.Errorf("the drain took %v, less than its spread", lasted)
	}
}

// Functions that do not return are cut when the context ends, and counted.
func TestDrainCuts(t *testing.T) {
	t.Parallel()
	var serving atomic.Int64
	e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		serving.Add(1)
		_, err := conn.Receive(context.Background()) // which a drain does not end
		return err
	}, nil)
	conns := []*ws.Conn{dial(t, s, nil), dial(t, s, nil), dial(t, s, nil)}
	for serving.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := e.Drain(ctx, &server.DrainOptions{Spread: -1})
	cut, ok := errors.AsType[*server.DrainError](err)
	if !ok || cut.Cut != 3 || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errors.ErrWebSocket) || !strings.Contains(err.Error(), "3 connections were cut") {
		t.Errorf("Drain = %v, want 3 cut by the deadline", err)
	}
	for _, conn := range conns {
		assertEnd(t, conn, errors.ServiceRestart, "server restarting")
	}
	mustShutdown(t, e)
	if err := e.Drain(t.Context(), nil); err != nil {
		t.Errorf("Drain = %v of an endpoint without connections", err)
	}
}

// A Shutdown during a Drain closes the remaining connections at once.
func TestShutdownBesideDrain(t *testing.T) {
	t.Parallel()
	e, s := startEndpoint(t, echo, nil)
	conns := []*ws.Conn{dial(t, s, nil), dial(t, s, nil)}
	for e.Len() < len(conns) {
		time.Sleep(time.Millisecond)
	}
	drained := make(chan error)
	go func() { drained <- e.Drain(timeout(t), &server.DrainOptions{Spread: time.Hour}) }()
	for e.Len() == len(conns) {
		time.Sleep(time.Millisecond)
	}
	mustShutdown(t, e)
	if err := <-drained; err != nil {
		t.Errorf("Drain = %v", err)
	}
	reasons := map[errors.CloseReason]int{}
	for _, conn := range conns {
		for {
			_, err := conn.Receive(timeout(t))
			if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
				reasons[closed.Reason]++
				break
			}
		}
	}
	if reasons[errors.ServiceRestart] != 1 || reasons[errors.GoingAway] != 1 {
		t.Errorf("the connections ended with %v, want one 1012 and one 1001", reasons)
	}
}

// A connection that is accepted while a drain begins is drained, too.
func TestDrainDuringAHandshake(t *testing.T) {
	t.Parallel()
	deciding, decide := make(chan struct{}), make(chan struct{})
	e, s := startEndpoint(t, echo, &server.Options{Authorize: func(*http.Request) (any, error) {
		close(deciding)
		<-decide
		return nil, nil
	}})
	dialed := make(chan *ws.Conn)
	go func() { dialed <- dial(t, s, nil) }()
	<-deciding
	drained := make(chan error)
	go func() { drained <- e.Drain(timeout(t), nil) }()
	for {
		if response, _, _ := roundTrip(t, s, with("Sec-WebSocket-Key: short")); response.StatusCode == http.StatusServiceUnavailable {
			break
		}
	}
	close(decide)
	assertEnd(t, <-dialed, errors.ServiceRestart, "server restarting")
	if err := <-drained; err != nil {
		t.Errorf("Drain = %v", err)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	one, two := server.Handler(echo, nil), server.Handler(echo, nil)
	mux := http.NewServeMux()
	mux.Handle("/one", one)
	mux.Handle("/two", two)
	s := httptest.NewServer(mux)
	defer s.Close()
	url := s.URL
	s.URL = url + "/one"
	first := dial(t, s, nil)
	s.URL = url + "/two"
	second := dial(t, s, nil)
	for one.Len()+two.Len() < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := server.Stop(timeout(t), s.Config, &server.DrainOptions{Spread: -1}, one, two); err != nil {
		t.Errorf("Stop = %v", err)
	}
	assertEnd(t, first, errors.ServiceRestart, "server restarting")
	assertEnd(t, second, errors.ServiceRestart, "server restarting")
	if _, err := http.Get(url); err == nil {
		t.Error("the server still listens")
	}
}

// The memory of a drained connection is free while the drain goes on with the others.
func TestDrainReleasesWhatHasEnded(t *testing.T) {
	t.Parallel()
	conns := make(chan weak.Pointer[server.Conn], 2)
	e, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		conns <- weak.Make(conn)
		_, err := conn.Receive(ctx)
		return err
	}, nil)
	dial(t, s, nil)
	dial(t, s, nil)
	first, second := <-conns, <-conns
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- e.Drain(ctx, &server.DrainOptions{Spread: time.Hour}) }()
	waitUntil(t, "the memory of one connection is free", func() bool {
		runtime.GC()
		return (first.Value() == nil) != (second.Value() == nil)
	})
	cancel()
	var cut *server.DrainError
	if err := <-drained; !errors.As(err, &cut) || cut.Cut != 1 {
		t.Errorf("Drain = %v, want a DrainError that counts 1", err)
	}
}
