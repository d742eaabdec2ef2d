package nats_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/nats"
	"github.com/isosocket/isosocket/ws"
)

// startNATS starts a server of NATS without JetStream, and returns its address.
func startNATS() (url string, stop func(), err error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		return "", nil, err
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return "", nil, errors.New("NATS does not start")
	}
	return s.ClientURL(), func() {
		s.Shutdown()
		s.WaitForShutdown()
	}, nil
}

// Two machines, one of which publishes what a member on the other receives.
func ExampleConnect() {
	ctx := context.Background()
	url, stop, err := startNATS()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	node := func() (*hub.Hub, func()) {
		// With JetStream, nil instead of the options, and the default rules.
		engine, err := nats.Connect(ctx, url, &nats.Options{NoHistory: true})
		if err != nil {
			panic(err)
		}
		h, err := hub.New(&hub.Options{Engine: engine, Rules: func(string) hub.Rules { return hub.Rules{History: -1} }})
		if err != nil {
			panic(err)
		}
		return h, func() {
			h.Close(ctx)
			engine.Close(ctx)
		}
	}
	one, closeOne := node()
	defer closeOne()
	two, closeTwo := node()
	defer closeTwo()

	conn, client := ws.Pipe(nil, nil) // in a server, the connection that it was given
	defer client.CloseNow(errors.NormalClosure, "")
	if _, err := one.Join(ctx, "lobby", conn, nil); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := two.Publish(ctx, "lobby", ws.Text("hello from two"), nil); err != nil {
		fmt.Println(err)
		return
	}
	m, err := client.Receive(ctx)
	fmt.Println(m, err)
	// Output: hello from two <nil>
}

func ExampleEngine_Status() {
	ctx := context.Background()
	url, stop, err := startNATS()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	engine, err := nats.Connect(ctx, url, &nats.Options{NoHistory: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	s := engine.Status()
	fmt.Println(s.Connected, s.Lost, s.History, s.Machines)
	// Output: true 0 false []
}

// Log what an operator should know.
func ExampleOptions_trace() {
	options := &nats.Options{Trace: &nats.Trace{
		Link: func(connected bool, err error) {
			slog.Warn("NATS", "connected", connected, "error", err)
		},
		Storage: func(stream string) {
			slog.Error("the history of all topics has begun anew", "stream", stream)
		},
		Failed: func(err error) {
			slog.Warn("NATS", "error", err)
		},
	}}
	fmt.Println(options.Trace.Doubt == nil)
	// Output: true
}
