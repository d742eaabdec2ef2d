//go:build !js

package client_test

import (
	"context"
	"math/rand/v2"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// TestClientClosesDuringShutdown closes TCP connections from both sides at once. Each accepted
// message must arrive or be reported.
func TestClientClosesDuringShutdown(t *testing.T) {
	for round := range 100 {
		var mu sync.Mutex
		known := map[string]bool{}
		know := func(text string) {
			mu.Lock()
			defer mu.Unlock()
			known[text] = true
		}
		endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
			for m, err := range conn.Messages(ctx) {
				if err != nil {
					return err
				}
				know(m.String())
			}
			return nil
		}, &server.Options{AnswerHeartbeat: &ws.Heartbeat{}})
		s := httptest.NewServer(endpoint)
		client := isosocket.NewClient(t.Context(), strings.Replace(s.URL, "http", "ws", 1), &isosocket.ClientOptions{
			OnLost:    func(m ws.Message, _ error) { know(m.String()) },
			Reconnect: &isosocket.ReconnectOptions{Dial: &isosocket.DialOptions{Heartbeat: &ws.Heartbeat{}, CloseTimeout: time.Second}},
		})
		accepted := 0
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for client.Send(context.Background(), ws.Text(strconv.Itoa(accepted))) == nil {
				accepted++
			}
		}()
		time.Sleep(time.Duration(rand.Int64N(int64(3 * time.Millisecond))))
		shut := make(chan struct{})
		go func() {
			defer close(shut)
			endpoint.Shutdown(context.Background())
		}()
		if round%2 == 0 {
			time.Sleep(time.Duration(rand.Int64N(int64(time.Millisecond))))
		}
		client.Close(errors.NormalClosure, "")
		<-client.Done()
		<-stopped
		<-shut
		s.Close()
		for i := range accepted {
			if !known[strconv.Itoa(i)] {
				t.Fatalf("round %d: message %d of %d was accepted, but neither arrived nor was reported", round, i, accepted)
			}
		}
	}
}

// TestClientThatOnlySends sends on a connection whose peer has sent many messages, which the
// program does not receive, and then has closed. The Client must notice the reason and
// reconnect.
func TestClientThatOnlySends(t *testing.T) {
	t.Parallel()
	const unread = 600 << 10
	handshakes := make(chan struct{}, 16)
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		handshakes <- struct{}{}
		if len(handshakes) > 1 {
			<-ctx.Done()
			return nil
		}
		for range unread / 1000 {
			if err := conn.Send(ctx, ws.Binary(make([]byte, 1000))); err != nil {
				return err
			}
		}
		return errors.ServiceRestart
	}, nil)
	s := httptest.NewServer(endpoint)
	defer s.Close()
	defer endpoint.Shutdown(context.Background())
	down := make(chan error, 16)
	client := isosocket.NewClient(t.Context(), strings.Replace(s.URL, "http", "ws", 1), &isosocket.ClientOptions{
		Reconnect: &isosocket.ReconnectOptions{OnDown: func(d isosocket.Down) { down <- d.Err }},
	})
	defer func() { <-client.Done() }()
	defer client.Close(errors.NormalClosure, "")
	if err := client.Send(bounded(t), ws.Text("hello")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-down:
		if !errors.Is(err, errors.ServiceRestart) {
			t.Errorf("the connection ended with %v, want 1012", err)
		}
	case <-bounded(t).Done():
		t.Fatalf("the Client did not notice the end: %+v", client.State())
	}
	if err := client.Send(bounded(t), ws.Text("again")); err != nil {
		t.Error(err)
	}
	for n := 0; n < unread/1000; n++ {
		if _, err := client.Receive(bounded(t)); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}
