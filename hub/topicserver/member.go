//go:build !js

package topicserver

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// state is the state of a Member.
type state struct {
	endpoint   *Endpoint
	ctx        context.Context // ends with the connection
	cancel     context.CancelFunc
	expiry     *time.Timer   // of Who, nil for none
	publishes  *rate.Limiter // nil: no limit
	subscribes *rate.Limiter
	late       atomic.Int32 // refusals that wait to be answered

	mu            sync.Mutex
	ended         bool
	subscriptions map[string]*subscription // by topic
	watches       map[string]*watch        // by number
}

// subscription is a Member's subscription to a topic.
type subscription struct {
	number     string // of the request; guarded by Member.mu
	topic      string
	grant      Grant       // guarded by Member.mu
	expiry     *time.Timer // of grant, nil for none; guarded by Member.mu
	paused     bool        // belongs to the goroutine that handles messages
	membership *hub.Membership
}

// watch is a Member's watch of a topic's presence.
type watch struct {
	topic  string
	cancel context.CancelFunc
}

// begin makes m ready for messages.
func (m *Member) begin(e *Endpoint) {
	m.endpoint = e
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.publishes = limiter(e.options.PublishRate, 0)
	m.subscribes = limiter(e.options.SubscribeRate, subscribeBurst)
	if at := m.Who.Expires; !at.IsZero() {
		m.expiry = time.AfterFunc(time.Until(at), func() {
			m.CloseNow(topicwire.Expired, "the rights of the connection have expired")
		})
	}
}

// end releases everything when the connection has ended.
func (m *Member) end() {
	m.cancel()
	if m.expiry != nil {
		m.expiry.Stop()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	for _, s := range m.subscriptions {
		if s.expiry != nil {
			s.expiry.Stop()
		}
	}
	m.subscriptions = nil
}

// tell sends a message without waiting. While too much is queued, it tries again later.
func (m *Member) tell(msg ws.Message) {
	if errors.Is(m.TrySend(msg), errors.ErrWouldBlock) {
		time.AfterFunc(tellAgain, func() { m.tell(msg) })
	}
}

const tellAgain = 100 * time.Millisecond

// subscription returns the subscription to a topic, nil if there is none.
func (m *Member) subscription(topic string) *subscription {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.subscriptions[topic]
}

// keep adds s, and reports false if the connection has ended.
func (m *Member) keep(s *subscription) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return false
	}
	if m.subscriptions == nil {
		m.subscriptions = make(map[string]*subscription)
	}
	m.subscriptions[s.topic] = s
	m.setExpiry(s)
	return true
}

// setExpiry arranges for the grant of s to be renewed. mu is held.
func (m *Member) setExpiry(s *subscription) {
	s.expiry = nil
	if at := s.grant.Expires; !at.IsZero() {
		s.expiry = time.AfterFunc(time.Until(at), func() { m.renew(s) })
	}
}

// renumber gives s the number of a later request, and reports false if it has ended.
func (m *Member) renumber(s *subscription, number string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.number = number
	return m.subscriptions[s.topic] == s
}

// remove ends the subscription to a topic and its watches. If only is not nil, it
// must be that one. It returns the number of its request, "" if there is none.
func (m *Member) remove(topic string, only *subscription) (number string) {
	m.mu.Lock()
	s := m.subscriptions[topic]
	if s == nil || only != nil && s != only {
		m.mu.Unlock()
		return ""
	}
	number = s.number
	delete(m.subscriptions, topic)
	if s.expiry != nil {
		s.expiry.Stop()
	}
	m.unwatchAll(topic)
	m.mu.Unlock()
	s.membership.Leave()
	return number
}

// unwatchAll ends the watches of a topic. mu is held.
func (m *Member) unwatchAll(topic string) {
	for number, w := range m.watches {
		if w.topic == topic {
			w.cancel()
			delete(m.watches, number)
		}
	}
}

// unsubscribe ends a subscription, as remove does, and tells the client.
func (m *Member) unsubscribe(topic string, only *subscription, text string) {
	if number := m.remove(topic, only); number != "" {
		m.tell(topicwire.Make(ws.Text(text), "end", topic, number, topicwire.Denied))
	}
}

// renew asks for the rights of s again, on the goroutine of a timer.
func (m *Member) renew(s *subscription) {
	defer func() {
		if v := recover(); v != nil { // as of a server's function
			m.endpoint.log(m, "Access.Subscribe panicked", s.topic, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
			m.CloseNow(errors.InternalError, "internal error")
		}
	}()
	grant, err := m.endpoint.access.Subscribe(m.ctx, m, s.topic)
	switch {
	case m.ctx.Err() != nil:
		return
	case err != nil:
		if reason, message, ok := chosen(err); ok {
			m.CloseNow(reason, message)
			return
		}
		m.unsubscribe(s.topic, s, m.endpoint.refusal(m, "Access.Subscribe refused to renew", s.topic, err).text)
		return
	case !grant.Expires.IsZero() && !grant.Expires.After(time.Now()):
		m.unsubscribe(s.topic, s, "the right to the topic has expired")
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.subscriptions[s.topic] != s {
		return
	}
	s.grant = grant
	if !grant.Watch {
		m.unwatchAll(s.topic)
	}
	m.setExpiry(s)
}
