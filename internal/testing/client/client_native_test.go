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

// TestClientClosesBesideShutdown ends real connections from both sides at once: each
// message that was accepted has arrived, or is reported.
func TestClientClosesBesideShutdown(t *testing.T) {
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
				t.Fatalf("round %d: message %d of %d was accepted, and neither arrived nor was reported", round, i, accepted)
			}
		}
	}
}
