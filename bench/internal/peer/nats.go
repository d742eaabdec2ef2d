package peer

import (
	"context"
	"sync"

	"github.com/centrifugal/centrifuge"
	natsio "github.com/nats-io/nats.go"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/nats"

	"github.com/isosocket/isosocket/bench/internal/process"
)

// isosocketMachines returns the Hub that connections join, and the one that publishes. Over NATS
// they are two, with an engine each.
func isosocketMachines(t *process.Task) (serves, publishes *hub.Hub, err error) {
	if t.NATS == "" {
		h, err := hub.New(nil)
		return h, h, err
	}
	hubs := make([]*hub.Hub, 2)
	for i := range hubs {
		engine, err := nats.Connect(context.Background(), t.NATS, &nats.Options{NoHistory: !t.History})
		if err != nil {
			return nil, nil, err
		}
		o := &hub.Options{Engine: engine}
		if !t.History {
			o.Rules = func(string) hub.Rules { return hub.Rules{History: -1} }
		}
		if hubs[i], err = hub.New(o); err != nil {
			return nil, nil, err
		}
	}
	return hubs[0], hubs[1], nil
}

// centrifugeMachines returns the node that connections join, and the one that publishes.
func centrifugeMachines(t *process.Task) (serves, publishes *centrifuge.Node, err error) {
	nodes := make([]*centrifuge.Node, 2)
	for i := range nodes {
		if nodes[i], err = centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelNone}); err != nil {
			return nil, nil, err
		}
		if t.NATS == "" {
			return nodes[0], nodes[0], nil
		}
		nc, err := natsio.Connect(t.NATS, natsio.ReconnectBufSize(-1), natsio.MaxReconnects(-1))
		if err != nil {
			return nil, nil, err
		}
		nodes[i].SetBroker(&natsBroker{nc: nc, subs: make(map[string]*natsio.Subscription)})
	}
	return nodes[0], nodes[1], nil
}

// natsBroker is a Broker of centrifuge over core NATS, without history, as centrifuge's own: a
// subscription with a callback for each channel. It sends the data alone, which is less than
// centrifuge's sends.
type natsBroker struct {
	nc      *natsio.Conn
	handler centrifuge.BrokerEventHandler

	mu   sync.Mutex
	subs map[string]*natsio.Subscription
}

const channels = "centrifuge."

func (b *natsBroker) RegisterBrokerEventHandler(h centrifuge.BrokerEventHandler) error {
	b.handler = h
	return nil
}

func (b *natsBroker) Subscribe(names ...string) error {
	for _, name := range names {
		sub, err := b.nc.Subscribe(channels+name, func(m *natsio.Msg) {
			// The node has no use for an error here.
			_ = b.handler.HandlePublication(name, &centrifuge.Publication{Data: m.Data}, centrifuge.StreamPosition{}, false, nil)
		})
		if err != nil {
			return err
		}
		b.mu.Lock()
		b.subs[name] = sub
		b.mu.Unlock()
	}
	return nil
}

func (b *natsBroker) Unsubscribe(names ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		if sub := b.subs[name]; sub != nil {
			delete(b.subs, name)
			if err := sub.Unsubscribe(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *natsBroker) Publish(name string, data []byte, _ centrifuge.PublishOptions) (centrifuge.PublishResult, error) {
	return centrifuge.PublishResult{}, b.nc.Publish(channels+name, data)
}

func (b *natsBroker) PublishJoin(string, *centrifuge.ClientInfo) error { return nil }

func (b *natsBroker) PublishLeave(string, *centrifuge.ClientInfo) error { return nil }

func (b *natsBroker) History(string, centrifuge.HistoryOptions) ([]*centrifuge.Publication, centrifuge.StreamPosition, error) {
	return nil, centrifuge.StreamPosition{}, centrifuge.ErrorNotAvailable
}

func (b *natsBroker) RemoveHistory(string) error { return centrifuge.ErrorNotAvailable }
