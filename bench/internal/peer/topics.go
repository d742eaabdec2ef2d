package peer

import (
	"context"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/centrifugal/centrifuge"
	"github.com/olahol/melody"

	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"

	"github.com/isosocket/isosocket/bench/internal/process"
)

// The history of a topic, where a library has one.
const (
	history    = 256
	historyAge = 5 * time.Minute
)

// isosocketTopics is package hub with its defaults, which are this history, or on two machines
// over NATS.
func isosocketTopics(l net.Listener, t *process.Task, join func() []string) (func(string, []byte) error, func() error, error) {
	h, publisher, err := isosocketMachines(t)
	if err != nil {
		return nil, nil, err
	}
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		for _, topic := range join() {
			if _, err := h.Join(ctx, topic, conn.Conn, nil); err != nil {
				return err
			}
		}
		_, err := conn.Receive(ctx)
		return err
	}, &server.Options{Detach: true})
	publish := func(topic string, data []byte) error {
		_, err := publisher.Publish(context.Background(), topic, ws.Message{Kind: ws.KindText, Data: data}, nil)
		return err
	}
	return publish, func() error { return http.Serve(l, e) }, nil
}

// Hello is what a client of centrifuge sends first.
const Hello = `{"connect":{},"id":1}`

// Centrifuge subscribes each client on the server, with positions and recovery, as its
// documentation shows, with its memory engine and its JSON protocol. It may put several messages
// into a frame.
var Centrifuge = Peer{
	Name:   "centrifuge",
	Module: "github.com/centrifugal/centrifuge",
	Topics: func(l net.Listener, t *process.Task, join func() []string) (func(string, []byte) error, func() error, error) {
		node, publisher, err := centrifugeMachines(t)
		if err != nil {
			return nil, nil, err
		}
		node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
			channels := make(map[string]centrifuge.SubscribeOptions)
			for _, topic := range join() {
				channels[topic] = centrifuge.SubscribeOptions{EnableRecovery: t.NATS == ""}
			}
			return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}, Subscriptions: channels}, nil
		})
		for _, n := range slices.Compact([]*centrifuge.Node{node, publisher}) {
			if err := n.Run(); err != nil {
				return nil, nil, err
			}
		}
		handler := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{})
		publish := func(topic string, data []byte) error {
			if t.NATS != "" {
				_, err := publisher.Publish(topic, data)
				return err
			}
			_, err := node.Publish(topic, data, centrifuge.WithHistory(history, historyAge))
			return err
		}
		return publish, func() error { return http.Serve(l, handler) }, nil
	},
	Lacks: lacksConnections,
}

// Melody has no topics: a session knows its own, and a message goes to the sessions that a
// function selects. It drops messages in silence when too many wait, so that its limit is set
// above the load's.
var Melody = Peer{
	Name:   "melody",
	Module: "github.com/olahol/melody",
	Topics: func(l net.Listener, t *process.Task, join func() []string) (func(string, []byte) error, func() error, error) {
		m := melody.New()
		m.Config.MessageBufferSize = 1024
		publish := func(topic string, data []byte) error {
			return m.BroadcastFilter(data, func(s *melody.Session) bool {
				_, ok := s.Keys[topic]
				return ok
			})
		}
		if t.Topics == 1 {
			publish = func(_ string, data []byte) error { return m.Broadcast(data) }
		}
		return publish, func() error {
			return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				keys := make(map[string]any)
				for _, topic := range join() {
					keys[topic] = true
				}
				_ = m.HandleRequestWithKeys(w, r, keys)
			}))
		}, nil
	},
	Lacks: lacksConnections,
}

// lacksConnections is for a library that is measured with topics only.
func lacksConnections(t *process.Task) string {
	if t.Role != process.Topics && t.Role != process.Relay {
		return "a library for topics"
	}
	return ""
}
