package nats

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	topics "github.com/isosocket/isosocket/hub/topic"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/ws"
)

// endpoint serves topics on a node.
type endpoint struct {
	*topicserver.Endpoint
	node *node
	http *httptest.Server
}

func serveTopics(t testing.TB, n *node) *endpoint {
	t.Helper()
	e, err := topicserver.New(n.hub, topicserver.Access{
		Connect: func(r *http.Request) (topicserver.Who, error) {
			return topicserver.Who{User: r.URL.Query().Get("user")}, nil
		},
		Subscribe: func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
			return topicserver.Grant{History: true, Present: true, Watch: true}, nil
		},
		Publish: func(_ context.Context, _ *topicserver.Member, _ string, m ws.Message) (ws.Message, error) {
			return m, nil
		},
	}, &topicserver.Options{PublishRate: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := &endpoint{e, n, httptest.NewServer(e)}
	t.Cleanup(s.stop)
	return s
}

func (s *endpoint) stop() {
	s.Shutdown(context.Background())
	s.http.Close()
}

// topicClient returns a Client that tries the URLs in turn.
func topicClient(t testing.TB, user string, urls ...string) *topics.Client {
	t.Helper()
	var attempts atomic.Int32
	c := topics.NewClient(context.Background(), urls[0], &topics.Options{Reconnect: &isosocket.ReconnectOptions{
		BaseDelay: 10 * time.Millisecond, MaxDelay: 50 * time.Millisecond,
		Prepare: func(_ context.Context, a *isosocket.Attempt) error {
			a.URL = urls[int(attempts.Add(1)-1)%len(urls)] + "?user=" + user
			return nil
		},
	}})
	t.Cleanup(func() {
		c.Close(errors.NormalClosure, "")
		<-c.Done()
	})
	return c
}

// TestClientsMoveToAnotherNode stops a node under load. Its clients, readers and publishers, move to
// another one, and every message arrives once and in the order of its publisher.
func TestClientsMoveToAnotherNode(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	o.Messages = 10_000
	one := serveTopics(t, newNode(t, s.ClientURL(), &o, nil))
	two := serveTopics(t, newNode(t, s.ClientURL(), &o, nil))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	const readers, publishers = 5, 3
	stop := make(chan struct{})
	var published atomic.Int64
	var publishing, reading sync.WaitGroup
	for i := range publishers {
		c := topicClient(t, fmt.Sprint("publisher", i), one.http.URL, two.http.URL)
		publishing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := c.Publish(ctx, "room", ws.Text(fmt.Sprint(i, " ", n)), nil); err != nil {
					t.Errorf("publisher %d, message %d: %v", i, n, err)
					return
				}
				published.Add(1)
			}
		})
	}
	for i := range readers {
		c := topicClient(t, fmt.Sprint("reader", i), one.http.URL, two.http.URL)
		subscription := c.Subscribe("room", &topics.SubscribeOptions{Oldest: true})
		reading.Go(func() {
			next := make([]int, publishers)
			for n := 0; ; n++ {
				m, err := subscription.Receive(ctx)
				if err != nil {
					t.Errorf("reader %d, message %d: %v", i, n, err)
					return
				}
				if m.String() == "end" {
					if int64(n) != published.Load() {
						t.Errorf("reader %d got %d messages, %d were published", i, n, published.Load())
					}
					return
				}
				var publisher, number int
				fmt.Sscan(m.String(), &publisher, &number)
				if number != next[publisher] {
					t.Errorf("reader %d got message %d of publisher %d, want %d", i, number, publisher, next[publisher])
				}
				next[publisher]++
			}
		})
	}
	more := func(what string) {
		before := published.Load()
		eventually(t, what, func() bool { return published.Load() > before+100 })
	}
	more("messages are published before")
	one.stop()
	one.node.stop()
	more("messages are published afterwards")
	close(stop)
	publishing.Wait()
	two.node.mustPublish("room", "end")
	reading.Wait()
	t.Logf("%d messages", published.Load())
}

// TestCommandsReachOtherNodes disconnects a user of another node.
func TestCommandsReachOtherNodes(t *testing.T) {
	s := startServer(t, true)
	o := quick
	o.Prefix = prefix()
	one := serveTopics(t, newNode(t, s.ClientURL(), &o, nil))
	two := serveTopics(t, newNode(t, s.ClientURL(), &o, nil))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ann := topicClient(t, "ann", two.http.URL)
	room, other := ann.Subscribe("room", nil), ann.Subscribe("other", nil)
	bob := topicClient(t, "bob", two.http.URL).Subscribe("room", nil)
	eventually(t, "the users and the topic for commands are joined", func() bool { return two.node.hub.Stats().Members == 4 })
	if err := one.Unsubscribe(ctx, "ann", "room"); err != nil {
		t.Fatal(err)
	}
	_, err := room.Receive(ctx)
	if refused, ok := errors.AsType[*topics.RefusedError](err); !ok || refused.Code != topics.Denied {
		t.Errorf("after Unsubscribe Receive returned %v", err)
	}
	one.node.mustPublish("other", "still here")
	if m, err := other.Receive(ctx); err != nil || m.String() != "still here" {
		t.Errorf("in another topic Receive returned %q, %v", m.Data, err)
	}
	if err := one.Disconnect(ctx, "ann", 4403, "banned"); err != nil {
		t.Fatal(err)
	}
	<-ann.Done()
	if !errors.Is(ann.Err(), errors.CloseReason(4403)) {
		t.Errorf("after Disconnect the client ended with %v", ann.Err())
	}
	one.node.mustPublish("room", "for bob")
	if m, err := bob.Receive(ctx); err != nil || m.String() != "for bob" {
		t.Errorf("bob received %q, %v", m.Data, err)
	}
}
