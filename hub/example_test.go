//go:build !js

package hub_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// A chat: each connection joins the topic of its path, and publishes the messages that it receives.
func ExampleNew() {
	h, err := hub.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer h.Close(context.Background())
	s := httptest.NewServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		topic := conn.URL().Path
		if _, err := h.Join(ctx, topic, conn.Conn, nil); err != nil {
			return err
		}
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if _, err := h.Publish(ctx, topic, m, nil); err != nil {
				return err
			}
		}
		return nil
	}, nil))
	defer s.Close()

	conn, err := isosocket.Dial(context.Background(), s.URL+"/lobby", nil)
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

// show prints the messages that have arrived.
func show(conn *ws.Conn) {
	for {
		m, ok, err := conn.TryReceive()
		if err != nil {
			fmt.Println(err)
		}
		if !ok {
			return
		}
		fmt.Println(m)
	}
}

// A client that reconnects gets the messages that it has missed, and then new ones.
func ExampleHub_Join() {
	ctx := context.Background()
	h, _ := hub.New(nil)
	defer h.Close(ctx)
	h.Publish(ctx, "news", ws.Text("one"), nil)
	seen, _ := h.Publish(ctx, "news", ws.Text("two"), nil)
	h.Publish(ctx, "news", ws.Text("three"), nil)

	conn, client := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	h.Join(ctx, "news", conn, &hub.JoinOptions{Since: seen})
	h.Publish(ctx, "news", ws.Text("four"), nil)
	show(client)
	// Output:
	// three
	// four
}

// With a Format a message carries its position, from which a client can join again, and a
// gap is a message, too.
func ExampleFormat() {
	format := &hub.Format{
		Entry: func(topic string, e *hub.Entry) ws.Message {
			return ws.Text(fmt.Sprintf(`{"position":%q,"text":%q}`, e.Position, e.Message))
		},
		Gap: func(topic string, g *hub.Gap) ws.Message { return ws.Text(`{"gap":true}`) },
	}
	ctx := context.Background()
	h, _ := hub.New(&hub.Options{Rules: func(topic string) hub.Rules { return hub.Rules{History: 1} }})
	defer h.Close(ctx)
	seen, _ := h.Publish(ctx, "news", ws.Text("one"), nil)
	h.Publish(ctx, "news", ws.Text("two"), nil)
	h.Publish(ctx, "news", ws.Text("three"), nil)

	conn, client := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	h.Join(ctx, "news", conn, &hub.JoinOptions{Since: seen, Format: format})
	gap, _ := client.Receive(ctx)
	fmt.Println(gap)
	m, _ := client.Receive(ctx)
	var position, text string
	fmt.Sscanf(m.String(), `{"position":%q,"text":%q}`, &position, &text)
	_, err := hub.ParsePosition(position)
	fmt.Println(text, err)
	// Output:
	// {"gap":true}
	// three <nil>
}

func ExampleMembership_PublishToOthers() {
	ctx := context.Background()
	h, _ := hub.New(nil)
	defer h.Close(ctx)
	ann, atAnn := ws.Pipe(nil, nil)
	bob, atBob := ws.Pipe(nil, nil)
	defer atAnn.Close(errors.NormalClosure, "")
	defer atBob.Close(errors.NormalClosure, "")
	member, _ := h.Join(ctx, "room", ann, nil)
	h.Join(ctx, "room", bob, nil)
	member.PublishToOthers(ctx, ws.Text("ann is typing"), nil)

	_, received, _ := atAnn.TryReceive()
	fmt.Println("ann:", received)
	m, _ := atBob.Receive(ctx)
	fmt.Println("bob:", m)
	// Output:
	// ann: false
	// bob: ann is typing
}

// Prices: a client that reads slowly gets the newest one of each share.
func ExampleRules() {
	rules := func(topic string) hub.Rules {
		if topic == "prices" {
			return hub.Rules{History: -1, Slow: hub.Latest}
		}
		return hub.Rules{}
	}
	ctx := context.Background()
	h, _ := hub.New(&hub.Options{Rules: rules})
	defer h.Close(ctx)
	conn, client := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	h.Join(ctx, "prices", conn, nil)
	h.Publish(ctx, "prices", ws.Text("ACME 42"), &hub.PublishOptions{Key: "ACME"})
	show(client)
	// Output: ACME 42
}

// Since reads history. It yields a gap in its place in the order, and continues.
func ExampleHub_Since() {
	ctx := context.Background()
	h, _ := hub.New(&hub.Options{Rules: func(string) hub.Rules { return hub.Rules{History: 2} }})
	defer h.Close(ctx)
	seen, _ := h.Publish(ctx, "log", ws.Text("1"), nil)
	for _, text := range []string{"2", "3", "4"} {
		h.Publish(ctx, "log", ws.Text(text), nil)
	}
	for e, err := range h.Since(ctx, "log", seen) {
		if _, ok := errors.AsType[*hub.Gap](err); ok {
			fmt.Println("a gap")
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Message)
	}
	// Output:
	// a gap
	// 3
	// 4
}

func ExampleHub_Present() {
	ctx := context.Background()
	h, _ := hub.New(nil)
	defer h.Close(ctx)
	conn, client := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	h.Join(ctx, "room", conn, &hub.JoinOptions{Key: "ann", Info: []byte("in a meeting")})
	here, err := h.Present(ctx, "room")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range here {
		fmt.Printf("%s: %s\n", p.Key, p.Info)
	}
	// Output: ann: in a meeting
}

func ExampleHub_WatchPresence() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	h, _ := hub.New(nil)
	defer h.Close(ctx)
	conn, client := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	ann, _ := h.Join(ctx, "room", conn, &hub.JoinOptions{Key: "ann"})
	for p, err := range h.WatchPresence(ctx, "room") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.Key, p.Here)
		if !p.Here {
			return
		}
		ann.Leave()
	}
	// Output:
	// ann true
	// ann false
}

func ExampleParsePosition() {
	_, err := hub.ParsePosition("not one")
	fmt.Println(err)
	p, err := hub.ParsePosition("3vxyz-9ix")
	fmt.Println(p, err)
	// Output:
	// hub: invalid position "not one"; allowed is a text that Position.String returned
	// 3vxyz-9ix <nil>
}

// A topic above a limit is refused, and the error names the limit.
func ExampleLimits() {
	ctx := context.Background()
	h, _ := hub.New(&hub.Options{Limits: hub.Limits{MessageSize: 10}})
	defer h.Close(ctx)
	_, err := h.Publish(ctx, "room", ws.Text("more than ten bytes"), nil)
	if refused, ok := errors.AsType[*hub.LimitError](err); ok {
		fmt.Println(refused.Name, refused.Limit, refused.Value)
	}
	// Output: Limits.MessageSize 10 19
}

// Two Hubs share an engine, as two servers of one process may.
func ExampleNewMemory() {
	ctx := context.Background()
	engine, err := hub.NewMemory(&hub.MemoryOptions{MaxBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	public, _ := hub.New(&hub.Options{Engine: engine})
	defer public.Close(ctx)
	internal, _ := hub.New(&hub.Options{Engine: engine})
	defer internal.Close(ctx)

	conn, client := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	public.Join(ctx, "room", conn, nil)
	internal.Publish(ctx, "room", ws.Text("hello"), nil)
	show(client)
	// Output: hello
}

func ExampleTrace() {
	ctx := context.Background()
	h, _ := hub.New(&hub.Options{Trace: &hub.Trace{
		Joined: func(topic string) { fmt.Println("joined", topic) },
		Left:   func(topic string) { fmt.Println("left", topic) },
	}})
	defer h.Close(ctx)
	conn, client := ws.Pipe(nil, nil)
	defer client.Close(errors.NormalClosure, "")
	member, _ := h.Join(ctx, "room", conn, nil)
	fmt.Println(h.Stats().Members, "member")
	member.Leave()
	// Output:
	// joined room
	// 1 member
	// left room
}
