//go:build !js

package topicserver

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

const (
	// refusalRate is how many refused subscriptions of all connections are answered in a
	// second. Above it the answers are late, so that clients that try again at once cannot
	// overload the server.
	refusalRate = 100
	// maxLate is the longest delay of an answer.
	maxLate = 5 * time.Second
	// lateAtOnce is how many late answers a connection may wait for; then it waits itself.
	lateAtOnce = 16
)

// answer is the answer to a request.
type answer struct {
	code string // "" for a success
	text string // of a refusal
	at   hub.Position
}

func refused(code, text string) answer { return answer{code: code, text: text} }

func (a answer) message(number string) ws.Message {
	if a.code == "" {
		return topicwire.Make(ws.Message{}, "ok", number, a.at.String())
	}
	return topicwire.Make(ws.Text(a.text), "no", number, a.code)
}

// refuse answers a request for a subscription that is refused, late if many are.
func (m *Member) refuse(ctx context.Context, number string, a answer) error {
	r := m.endpoint.refusals.Reserve()
	late := r.Delay()
	if late > maxLate {
		r.Cancel()
		late = maxLate
	}
	msg := a.message(number)
	switch {
	case late == 0:
		return m.Send(ctx, msg)
	case m.late.Add(1) <= lateAtOnce:
		time.AfterFunc(late, func() {
			m.late.Add(-1)
			m.tell(msg)
		})
		return nil
	}
	defer m.late.Add(-1)
	select {
	case <-time.After(late):
	case <-ctx.Done():
	}
	return m.Send(ctx, msg)
}

// refusal returns the answer for an error of an Access function or the Hub.
func (e *Endpoint) refusal(m *Member, what, topic string, err error) answer {
	if r, ok := errors.AsType[*Refusal](err); ok {
		if r.Later {
			return refused(topicwire.Failed, r.Text)
		}
		return refused(topicwire.Denied, r.Text)
	}
	e.log(m, what, topic, err)
	return refused(topicwire.Denied, "not allowed")
}

// hubRefusal returns the answer for an error of the Hub.
func (e *Endpoint) hubRefusal(m *Member, what, topic string, err error) answer {
	if l, ok := errors.AsType[*hub.LimitError](err); ok {
		return refused(topicwire.Limit, l.Error())
	}
	if errors.Is(err, hub.ErrInvalidTopic) {
		return refused(topicwire.Invalid, err.Error())
	}
	e.log(m, what, topic, err)
	return refused(topicwire.Failed, "the server has failed to do it")
}

// chosen returns the close of the connection that an error of an Access function asks for.
func chosen(err error) (reason errors.CloseReason, message string, ok bool) {
	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
		return closed.Reason, closed.Message, !closed.Remote && closed.Reason.Sendable()
	}
	reason, ok = errors.AsType[errors.CloseReason](err)
	return reason, "", ok && reason.Sendable()
}

// closes reports whether an error of an Access function closes the connection.
func closes(err error) bool {
	_, _, ok := chosen(err)
	return ok
}
