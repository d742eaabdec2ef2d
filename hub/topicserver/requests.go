//go:build !js

package topicserver

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// maxNumber is how many bytes the number of a request may have.
const maxNumber = 16

// verbs are those of the requests.
var verbs = []string{"sub", "leave", "pause", "watch", "unwatch", "pub"}

// handle handles a message of a client. An error closes the connection.
func (e *Endpoint) handle(ctx context.Context, conn *server.Conn, msg ws.Message) error {
	m := conn.Principal().(*Member)
	f, err := topicwire.Parse(msg)
	if err != nil {
		return violation(err.Error())
	}
	number, topic := f.Field(0), f.Field(1)
	switch {
	case !slices.Contains(verbs, f.Verb):
		return violation("topics: unknown verb " + short(f.Verb) + "; allowed are " + strings.Join(verbs, ", "))
	case number == "" || len(number) > maxNumber:
		return violation("topics: the number of a request has 1 to 16 bytes")
	}
	var a answer
	switch f.Verb {
	case "sub":
		if a, err = e.subscribe(ctx, m, &f); err == nil && a.code != "" {
			return m.refuse(ctx, number, a)
		}
	case "watch":
		if a = e.watch(m, number, topic); a.code != "" {
			return m.refuse(ctx, number, a)
		}
	case "leave":
		m.remove(topic, nil)
	case "pause":
		if s := m.subscription(topic); s != nil && !s.paused {
			s.paused = true
			s.membership.Pause()
		}
	case "unwatch":
		m.unwatch(topic) // the number of the watch
	case "pub":
		a, err = e.publish(ctx, m, &f)
	}
	if err != nil {
		return err
	}
	if f.Verb == "sub" || f.Verb == "watch" {
		return nil // answered already
	}
	return m.Send(ctx, a.message(number))
}

// violation closes the connection of a client that broke the protocol.
func violation(text string) error {
	return &errors.ConnectionClosed{Reason: errors.PolicyViolation, Message: text}
}

// short quotes a verb for an error.
func short(s string) string {
	if len(s) > 20 {
		s = s[:20] + "..."
	}
	return `"` + s + `"`
}

func allow(l *rate.Limiter) bool { return l == nil || l.Allow() }

// subscribe answers a success itself, before the first message.
func (e *Endpoint) subscribe(ctx context.Context, m *Member, f *topicwire.Frame) (answer, error) {
	number, topic, since := f.Field(0), f.Field(1), f.Field(2)
	if !allow(m.subscribes) {
		return refused(topicwire.Rate, "more subscriptions a second than the server allows"), nil
	}
	if strings.HasPrefix(topic, reserved) {
		return refused(topicwire.Invalid, "topics that begin with U+0000 are reserved"), nil
	}
	o := hub.JoinOptions{Format: e.format}
	if since == "*" {
		o.Oldest = true
	} else {
		var err error
		if o.Since, err = hub.ParsePosition(since); err != nil {
			return refused(topicwire.Invalid, err.Error()), nil
		}
	}
	if s := m.subscription(topic); s != nil {
		if !s.paused {
			return refused(topicwire.Invalid, "the connection has subscribed to this topic already"), nil
		}
		if m.renumber(s, number) {
			return e.resume(ctx, m, s, number, o.Since)
		}
	}
	if e.access.Subscribe == nil {
		return refused(topicwire.Denied, "Access.Subscribe is nil, which refuses every subscription"), nil
	}
	grant, err := e.access.Subscribe(ctx, m, topic)
	switch {
	case err != nil && closes(err):
		return answer{}, err
	case err != nil:
		return e.refusal(m, "Access.Subscribe refused", topic, err), nil
	case !grant.Expires.IsZero() && !grant.Expires.After(time.Now()):
		return refused(topicwire.Denied, "the right to the topic has expired"), nil
	}
	if grant.Present && m.Who.User != "" {
		o.Key, o.Info = m.Who.User, m.Who.Info
	}
	missed := o.Since
	if !grant.History {
		o.Oldest, o.Since = false, hub.Position{}
	}
	return e.join(ctx, m, &subscription{number: number, topic: topic, grant: grant}, o, missed)
}

// join makes m a member. missed is the position after which the client has missed
// messages, which it does not get if the membership begins at another.
func (e *Endpoint) join(ctx context.Context, m *Member, s *subscription, o hub.JoinOptions, missed hub.Position) (answer, error) {
	o.Paused = true // the answer comes before the messages
	membership, err := e.hub.Join(ctx, s.topic, m.Conn.Conn, &o)
	if err != nil {
		if m.Err() != nil {
			return answer{}, m.Err()
		}
		return e.hubRefusal(m, "the Hub refused a member", s.topic, err), nil
	}
	s.membership = membership
	if !m.keep(s) {
		membership.Leave()
		return answer{}, m.Err()
	}
	begin := membership.Position()
	if err := m.Send(ctx, answer{at: begin}.message(s.number)); err != nil {
		return answer{}, err
	}
	if !missed.IsZero() && missed != begin {
		if err := m.Send(ctx, gapMessage(s.topic, missed, begin)); err != nil {
			return answer{}, err
		}
	}
	membership.Resume(hub.Position{})
	return answer{}, nil
}

// resume continues a paused subscription.
func (e *Endpoint) resume(ctx context.Context, m *Member, s *subscription, number string, since hub.Position) (answer, error) {
	if since.IsZero() {
		since = s.membership.Position()
	}
	if err := m.Send(ctx, answer{at: since}.message(number)); err != nil {
		return answer{}, err
	}
	s.paused = false
	s.membership.Resume(since)
	return answer{}, nil
}

// publish publishes a message.
func (e *Endpoint) publish(ctx context.Context, m *Member, f *topicwire.Frame) (answer, error) {
	topic, id, key := f.Field(1), f.Field(2), f.Field(3)
	switch {
	case !allow(m.publishes):
		return refused(topicwire.Rate, "more messages a second than the server allows"), nil
	case strings.HasPrefix(topic, reserved):
		return refused(topicwire.Invalid, "topics that begin with U+0000 are reserved"), nil
	case e.access.Publish == nil:
		return refused(topicwire.Denied, "Access.Publish is nil, which refuses every message"), nil
	}
	msg, err := e.access.Publish(ctx, m, topic, f.Payload)
	switch {
	case err != nil && closes(err):
		return answer{}, err
	case err != nil:
		return e.refusal(m, "Access.Publish refused", topic, err), nil
	}
	at, err := e.hub.Publish(ctx, topic, msg, &hub.PublishOptions{ID: id, Key: key})
	if err != nil {
		return e.hubRefusal(m, "the Hub did not publish", topic, err), nil
	}
	return answer{at: at}, nil
}
