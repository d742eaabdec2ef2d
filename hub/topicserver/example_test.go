//go:build !js

package topicserver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/ws"
)

// Everyone may read the topics below "news/", and editors may publish there.
func ExampleNew() {
	h, err := hub.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close(context.Background())
	access := topicserver.Access{
		Connect: func(r *http.Request) (topicserver.Who, error) {
			return topicserver.Who{User: r.URL.Query().Get("user")}, nil // look at a cookie or a token instead
		},
		Subscribe: func(ctx context.Context, m *topicserver.Member, topic string) (topicserver.Grant, error) {
			if !strings.HasPrefix(topic, "news/") {
				return topicserver.Grant{}, &topicserver.Refusal{Text: "there is no such topic"}
			}
			return topicserver.Grant{History: true, Expires: time.Now().Add(time.Hour)}, nil
		},
		Publish: func(ctx context.Context, m *topicserver.Member, topic string, msg ws.Message) (ws.Message, error) {
			if m.Who.User != "editor" {
				return msg, &topicserver.Refusal{Text: "only editors may publish"}
			}
			return msg, nil
		},
	}
	e, err := topicserver.New(h, access, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	s := httptest.NewServer(e)
	defer s.Close()

	// Package topic is the client. This one shows the messages of the protocol.
	conn, err := isosocket.Dial(context.Background(), s.URL+"?user=reader", &isosocket.DialOptions{
		Subprotocols: []string{"topics.isosocket.1"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	conn.Send(context.Background(), ws.Text("pub 1 news/today\nhello"))
	answer, err := conn.Receive(context.Background())
	fmt.Println(answer, err)
	// Output:
	// no 1 denied
	// only editors may publish <nil>
}

// A user is banned: the connections on all machines end.
func ExampleEndpoint_Disconnect() {
	ctx := context.Background()
	h, _ := hub.New(nil)
	defer h.Close(ctx)
	e, _ := topicserver.New(h, topicserver.Access{
		Connect: func(*http.Request) (topicserver.Who, error) { return topicserver.Who{User: "mallory"}, nil },
	}, nil)
	s := httptest.NewServer(e)
	defer s.Close()
	conn, err := isosocket.Dial(ctx, s.URL, &isosocket.DialOptions{Subprotocols: []string{"topics.isosocket.1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := e.Disconnect(ctx, "mallory", 4403, "banned"); err != nil {
		fmt.Println(err)
	}
	_, err = conn.Receive(ctx)
	closed, _ := errors.AsType[*errors.ConnectionClosed](err)
	fmt.Println(closed.Reason, closed.Message)
	// Output: 4403 (private application reason, 4000-4999) banned
}

// A right is withdrawn, and the subscription ends.
func ExampleEndpoint_Unsubscribe() {
	ctx := context.Background()
	h, _ := hub.New(nil)
	defer h.Close(ctx)
	e, _ := topicserver.New(h, topicserver.Access{
		Connect: func(*http.Request) (topicserver.Who, error) { return topicserver.Who{User: "bob"}, nil },
		Subscribe: func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
			return topicserver.Grant{}, nil
		},
	}, nil)
	s := httptest.NewServer(e)
	defer s.Close()
	conn, err := isosocket.Dial(ctx, s.URL, &isosocket.DialOptions{Subprotocols: []string{"topics.isosocket.1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(errors.NormalClosure, "")
	conn.Send(ctx, ws.Text("sub 1 board"))
	conn.Receive(ctx)
	if err := e.Unsubscribe(ctx, "bob", "board"); err != nil {
		fmt.Println(err)
	}
	m, err := conn.Receive(ctx)
	fmt.Println(m, err)
	// Output:
	// end board 1 denied
	// the server has ended the subscription <nil>
}

// Without a Connect, nobody may connect. Anyone accepts everyone.
func ExampleAnyone() {
	who, err := topicserver.Anyone(nil)
	fmt.Printf("%q %v\n", who.User, err)
	// Output: "" <nil>
}
