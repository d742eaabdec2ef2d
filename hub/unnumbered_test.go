package hub_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// unnumbered is an engine that carries messages between machines without an order: each
// machine numbers its own messages, and no entry has a predecessor.
type unnumbered struct {
	*hub.Memory
	machine string
	last    atomic.Uint64
}

func (u *unnumbered) Publish(ctx context.Context, topic string, e *hub.Entry, _ hub.Keep) (hub.Position, error) {
	p := hub.MakePosition(u.machine, u.last.Add(1))
	e.ID = p.String() // sent with the entry
	_, err := u.Memory.Publish(ctx, topic, e, hub.Keep{})
	return p, err
}

func (u *unnumbered) Subscribe(ctx context.Context, topic string, s hub.Subscriber) (hub.Subscription, hub.Position, error) {
	sub, _, err := u.Memory.Subscribe(ctx, topic, unnumberedSubscriber{s})
	return sub, hub.MakePosition(u.machine, 0), err
}

func (u *unnumbered) Since(context.Context, string, hub.Position, int) ([]*hub.Entry, hub.Position, error) {
	return nil, hub.MakePosition(u.machine, u.last.Load()), nil
}

type unnumberedSubscriber struct{ hub.Subscriber }

func (s unnumberedSubscriber) Deliver(e *hub.Entry) {
	p, err := hub.ParsePosition(e.ID)
	if err != nil {
		panic(err)
	}
	s.Subscriber.Deliver(&hub.Entry{Position: p, Message: e.Message})
}

func TestAnEngineWithoutOrderStillFansOut(t *testing.T) {
	memory := newMemory(t, nil)
	o := func(machine string) *hub.Options {
		return &hub.Options{Engine: &unnumbered{Memory: memory, machine: machine}, Rules: func(string) hub.Rules { return hub.Rules{History: -1} }}
	}
	h1, h2 := newHub(t, o("m1")), newHub(t, o("m2"))
	a, atA := pair(t)
	b, atB := pair(t)
	join(t, h1, "t", a, nil)
	join(t, h2, "t", b, nil)
	for i := range 10 {
		for machine, h := range []*hub.Hub{h1, h2, h2} {
			if _, err := h.Publish(t.Context(), "t", ws.Text(fmt.Sprint(i, machine)), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 10 {
		for machine := range 3 {
			expect(t, atA, fmt.Sprint(i, machine))
			expect(t, atB, fmt.Sprint(i, machine))
		}
	}
	for _, h := range []*hub.Hub{h1, h2} {
		if s := h.Stats(); s.Gaps != 0 || s.Failures != 0 {
			t.Errorf("Stats: %+v", s)
		}
	}
}
