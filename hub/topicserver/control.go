//go:build !js

package topicserver

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// reserved begins the names of topics that clients cannot use.
const reserved = "\x00"

// controlTopic carries commands from machine to machine, in the form of package topicwire:
//
//	close NODE USER REASON LF MESSAGE
//	unsub NODE USER TOPIC
const controlTopic = reserved + "topicserver"

func newNode() string { return strconv.FormatUint(rand.Uint64(), 36) }

// Disconnect closes all connections of a user, on every machine, with a reason and a
// message: see [ws.Conn.Close]. A client of package topic does not connect again
// after a reason that isosocket.DefaultRetry does not try again, such as 4403.
//
// Access.Connect should refuse the user from then on: a connection that is being opened
// during the call may remain. When Disconnect returns, the connections here have ended, and the engine has the command
// for the others. Its error is that of the engine: then others may not get the command, and
// Disconnect can be repeated.
func (e *Endpoint) Disconnect(ctx context.Context, user string, reason errors.CloseReason, message string) error {
	if err := ws.CheckCloseReason(reason); err != nil {
		return err
	}
	e.disconnect(user, reason, message)
	return e.command(ctx, topicwire.Make(ws.Text(message), "close", e.node, user, strconv.Itoa(int(reason))))
}

// Unsubscribe ends the subscriptions of a user to a topic, on every machine. The client is
// told that it is denied. To keep it from subscribing again, Access.Subscribe must
// refuse it from then on. The rest is as for Disconnect.
func (e *Endpoint) Unsubscribe(ctx context.Context, user, topic string) error {
	e.unsubscribe(user, topic)
	return e.command(ctx, topicwire.Make(ws.Message{}, "unsub", e.node, user, topic))
}

func (e *Endpoint) command(ctx context.Context, m ws.Message) error {
	_, err := e.hub.Publish(ctx, controlTopic, m, nil)
	return err
}

func (e *Endpoint) disconnect(user string, reason errors.CloseReason, message string) {
	for _, m := range e.of(user) {
		m.CloseNow(reason, message)
	}
}

func (e *Endpoint) unsubscribe(user, topic string) {
	for _, m := range e.of(user) {
		m.unsubscribe(topic, nil, "the server has ended the subscription")
	}
}

// obey carries out the commands of other machines until ctx ends.
func (e *Endpoint) obey(ctx context.Context) {
	format := &hub.Format{Gap: gapFormat}
	for ctx.Err() == nil {
		near, far := ws.Pipe(nil, nil)
		_, err := e.hub.Join(ctx, controlTopic, near, &hub.JoinOptions{Format: format})
		for err == nil {
			var m ws.Message
			if m, err = far.Receive(ctx); err == nil {
				e.carryOut(m)
			}
		}
		near.CloseNow(errors.NormalClosure, "")
		far.CloseNow(errors.NormalClosure, "")
		if errors.Is(err, hub.ErrClosed) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// gapFormat makes a gap of the control topic a message without effect.
func gapFormat(topic string, g *hub.Gap) ws.Message { return gapMessage(topic, g.After, g.Until) }

func (e *Endpoint) carryOut(m ws.Message) {
	f, err := topicwire.Parse(m)
	if err != nil || f.Field(0) == e.node {
		return
	}
	switch f.Verb {
	case "close":
		reason, err := strconv.ParseUint(f.Field(2), 10, 16)
		if err == nil {
			e.disconnect(f.Field(1), errors.CloseReason(reason), f.Text())
		}
	case "unsub":
		e.unsubscribe(f.Field(1), f.Field(2))
	}
}
