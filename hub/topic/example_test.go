//go:build !js

package topic_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topic"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/ws"
)

// serve starts a server on which everybody may do everything except read "secret", and
// returns its URL. Topics have a history of 2 messages.
func serve() (url string, stop func()) {
	h, err := hub.New(&hub.Options{Rules: func(string) hub.Rules { return hub.Rules{History: 2} }})
	if err != nil {
		panic(err)
	}
	e, err := topicserver.New(h, topicserver.Access{
		Connect: func(r *http.Request) (topicserver.Who, error) {
			return topicserver.Who{User: r.URL.Query().Get("user")}, nil
		},
		Subscribe: func(_ context.Context, _ *topicserver.Member, topic string) (topicserver.Grant, error) {
			if topic == "secret" {
				return topicserver.Grant{}, &topicserver.Refusal{Text: "it is secret"}
			}
			return topicserver.Grant{History: true, Present: true, Watch: true}, nil
		},
		Publish: func(_ context.Context, _ *topicserver.Member, _ string, m ws.Message) (ws.Message, error) {
			return m, nil
		},
	}, nil)
	if err != nil {
		panic(err)
	}
	s := httptest.NewServer(e)
	return s.URL, func() {
		e.Shutdown(context.Background())
		s.Close()
		h.Close(context.Background())
	}
}

func ExampleNewClient() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	c := topic.NewClient(ctx, url, &topic.Options{
		Reconnect: &isosocket.ReconnectOptions{
			OnDown: func(d isosocket.Down) { fmt.Println("no connection:", d.Err) },
		},
		OnConnect: func(*ws.Conn) { fmt.Println("connected") },
	})
	defer c.Close(errors.NormalClosure, "")
	news := c.Subscribe("news", &topic.SubscribeOptions{Oldest: true})
	if _, err := c.Publish(ctx, "news", ws.Text("hello"), nil); err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range news.Messages(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Topic, m)
		news.Leave() // ends the loop
	}
	// Output:
	// connected
	// news hello
}

// A gap is an error that is not an end.
func ExampleSubscription_Receive() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	c := topic.NewClient(ctx, url, nil)
	defer c.Close(errors.NormalClosure, "")
	seen, _ := c.Publish(ctx, "log", ws.Text("1"), nil)
	for _, text := range []string{"2", "3", "4"} {
		c.Publish(ctx, "log", ws.Text(text), nil)
	}
	s := c.Subscribe("log", &topic.SubscribeOptions{Since: seen})
	for range 3 {
		m, err := s.Receive(ctx)
		if _, ok := errors.AsType[*topic.Gap](err); ok {
			fmt.Println("a gap")
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m)
	}
	// Output:
	// a gap
	// 3
	// 4
}

// A program that starts again continues from a stored position.
func ExampleSubscription_Position() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	var stored topic.Position // in a browser: localStorage
	for _, text := range []string{"first run", "second run"} {
		c := topic.NewClient(ctx, url, nil)
		s := c.Subscribe("t", &topic.SubscribeOptions{Since: stored, Oldest: stored == ""})
		c.Publish(ctx, "t", ws.Text(text), nil)
		m, err := s.Receive(ctx)
		fmt.Println(m, err)
		stored = s.Position()
		c.Publish(ctx, "t", ws.Text("after the "+text), nil)
		c.Close(errors.NormalClosure, "")
	}
	// Output:
	// first run <nil>
	// after the first run <nil>
}

// A program whose messages change a state loads the state, and never sees a gap.
func ExampleSubscribeOptions() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	c := topic.NewClient(ctx, url, nil)
	defer c.Close(errors.NormalClosure, "")
	var state []string
	s := c.Subscribe("board", &topic.SubscribeOptions{
		Load: func(ctx context.Context) (topic.Position, error) {
			// Fetch it from a server that has read the position first. Here it is made.
			at, err := c.Publish(ctx, "board", ws.Text("a"), nil)
			state = []string{"a"}
			c.Publish(ctx, "board", ws.Text("b"), nil)
			return at, err
		},
	})
	m, err := s.Receive(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	state = append(state, m.String())
	fmt.Println(strings.Join(state, " "))
	// Output: a b
}

func ExampleSubscription_Present() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	ann := topic.NewClient(ctx, url+"?user=ann", nil)
	defer ann.Close(errors.NormalClosure, "")
	bob := topic.NewClient(ctx, url+"?user=bob", nil)
	defer bob.Close(errors.NormalClosure, "")
	for p, err := range ann.Subscribe("room", nil).Present(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.Key, p.Here)
		if p.Key == "bob" {
			break
		}
		bob.Subscribe("room", nil)
	}
	// Output:
	// ann true
	// bob true
}

// The same ID is published once.
func ExampleClient_Publish() {
	url, stop := serve()
	defer stop()
	ctx := context.Background()
	c := topic.NewClient(ctx, url, nil)
	defer c.Close(errors.NormalClosure, "")
	order := &topic.PublishOptions{ID: "order 4f1c09ab"}
	first, err1 := c.Publish(ctx, "orders", ws.Text("one pizza"), order)
	second, err2 := c.Publish(ctx, "orders", ws.Text("one pizza"), order) // the user clicked twice
	fmt.Println(first == second, err1, err2)
	// Output: true <nil> <nil>
}

// A refusal ends the subscription, and says why.
func ExampleClient_Subscribe() {
	url, stop := serve()
	defer stop()
	c := topic.NewClient(context.Background(), url, nil)
	defer c.Close(errors.NormalClosure, "")
	_, err := c.Subscribe("secret", nil).Receive(context.Background())
	if refused, ok := errors.AsType[*topic.RefusedError](err); ok {
		fmt.Println(refused.Code, refused.Text)
	}
	// Output: denied it is secret
}
