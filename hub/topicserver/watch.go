//go:build !js

package topicserver

import (
	"context"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// watch begins to send who is present. It answers a success itself.
func (e *Endpoint) watch(m *Member, number, topic string) answer {
	if !allow(m.subscribes) {
		return refused(topicwire.Rate, "more requests a second than the server allows")
	}
	ctx, cancel := context.WithCancel(m.ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.subscriptions[topic]
	switch {
	case s == nil:
		cancel()
		return refused(topicwire.Invalid, "only a topic to which the connection has subscribed can be watched")
	case !s.grant.Watch:
		cancel()
		return refused(topicwire.Denied, "who is present may not be seen")
	case m.watches[number] != nil:
		cancel()
		return refused(topicwire.Invalid, "a watch has this number already")
	case len(m.watches) >= maxWatches:
		cancel()
		return refused(topicwire.Limit, "a connection may watch 256 topics at the same time")
	}
	if m.watches == nil {
		m.watches = make(map[string]*watch)
	}
	m.watches[number] = &watch{topic, cancel}
	go e.follow(ctx, m, number, topic)
	return answer{}
}

const maxWatches = 256

// unwatch ends the watch with a number.
func (m *Member) unwatch(number string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w := m.watches[number]; w != nil {
		w.cancel()
		delete(m.watches, number)
	}
}

// follow sends who is present until ctx ends, or the Hub fails. Then the client watches
// again.
func (e *Endpoint) follow(ctx context.Context, m *Member, number, topic string) {
	if m.Send(ctx, answer{}.message(number)) != nil {
		return
	}
	first := true
	err := e.hub.FollowPresence(ctx, topic, func(changes []hub.Presence) bool {
		for _, p := range changes {
			msg := topicwire.Make(ws.Message{}, "gone", number, p.Key)
			if p.Here {
				msg = topicwire.Make(topicwire.Bytes(p.Info), "here", number, p.Key)
			}
			if m.Send(ctx, msg) != nil {
				return false
			}
		}
		if first && m.Send(ctx, topicwire.Make(ws.Message{}, "all", number)) != nil {
			return false
		}
		first = false
		return true
	})
	if err == nil || ctx.Err() != nil {
		return
	}
	m.unwatch(number)
	m.tell(e.hubRefusal(m, "a watch of presence has failed", topic, err).message(number))
}
