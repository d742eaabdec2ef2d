//go:build !js

package topicserver_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topic"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// TestStorm has subscribers that lose their node together, come back to another one, and recover.
// TOPICS_SUBSCRIBERS sets their number.
func TestStorm(t *testing.T) {
	const missed = 100
	subscribers := 300
	if n, err := strconv.Atoi(os.Getenv("TOPICS_SUBSCRIBERS")); err == nil {
		subscribers = n
	}
	engine, err := hub.NewMemory(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(context.Background())
	start := func() (h *hub.Hub, url string, stop func()) {
		h = newHub(t, &hub.Options{Engine: engine})
		e, err := topicserver.New(h, all, &topicserver.Options{Server: &server.Options{Detach: true}})
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: e}
		go s.Serve(l)
		return h, "ws://" + l.Addr().String() + "/", func() {
			e.Shutdown(context.Background())
			s.Close()
		}
	}
	one, url, stopOne := start()
	two, second, stopTwo := start()
	defer stopTwo()
	var mu sync.Mutex
	target := url
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var subscriptions []*topic.Subscription
	var clients []*topic.Client
	for i := range subscribers {
		c := topic.NewClient(ctx, url, &topic.Options{Reconnect: &isosocket.ReconnectOptions{
			Prepare: func(_ context.Context, a *isosocket.Attempt) error {
				mu.Lock()
				defer mu.Unlock()
				a.URL = target
				return nil
			},
		}})
		clients = append(clients, c)
		subscriptions = append(subscriptions, c.Subscribe(fmt.Sprint("topic", i%10), nil))
	}
	defer func() {
		for _, c := range clients {
			c.Close(errors.NormalClosure, "")
		}
		for _, c := range clients {
			<-c.Done()
		}
	}()
	for one.Stats().Members < subscribers+1 {
		if ctx.Err() != nil {
			t.Fatalf("only %d of %d members; the first client: %v", one.Stats().Members, subscribers+1, clients[0].Err())
		}
		time.Sleep(10 * time.Millisecond)
	}
	mu.Lock()
	target = second
	mu.Unlock()
	began := time.Now() // the missed messages are published after this
	stopOne()
	for i := range 10 {
		for n := range missed {
			if _, err := two.Publish(ctx, fmt.Sprint("topic", i), ws.Text(fmt.Sprint(n)), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	var all sync.WaitGroup
	for i, s := range subscriptions {
		all.Go(func() {
			for n := range missed {
				m, err := s.Receive(ctx)
				if err != nil || m.String() != fmt.Sprint(n) {
					t.Errorf("subscriber %d, message %d: %q, %v", i, n, m.Data, err)
					return
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d subscribers recovered %d messages each within %v", subscribers, missed, time.Since(began))
}
