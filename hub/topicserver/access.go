//go:build !js

package topicserver

import (
	"context"
	"net/http"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// Access decides what clients may do. A nil function refuses. The functions are called by
// many goroutines at the same time.
//
// Subscribe and Publish refuse with an error. The client gets the text of a [*Refusal];
// of any other error it only gets to know that it is not allowed. An error that is, or
// wraps, a sendable [errors.CloseReason] closes the connection, as that of a function of
// [server.Handler].
type Access struct {
	// Connect decides who may connect. It is the Authorize of server.Options: an error
	// refuses the handshake. [Anyone] accepts everyone.
	Connect func(r *http.Request) (Who, error)

	// Subscribe decides who may subscribe to a topic. It is called again when the Grant
	// expires, by another goroutine. ctx ends with the connection.
	Subscribe func(ctx context.Context, m *Member, topic string) (Grant, error)

	// Publish decides who may publish, and returns the message to publish: the same, or
	// another, for example with the user's name. It owns the message's data.
	Publish func(ctx context.Context, m *Member, topic string, msg ws.Message) (ws.Message, error)
}

// Anyone is an Access.Connect that accepts every client, as a user without a name.
func Anyone(*http.Request) (Who, error) { return Who{}, nil }

// Who is the user of a connection.
type Who struct {
	// User identifies the user, in at most 255 bytes: for presence, and for
	// [Endpoint.Disconnect]. A user may have many connections. "" is no user.
	User string
	// Info is announced with User, if a Grant allows that. It has at most 4 KiB, and must
	// not be changed.
	Info []byte
	// Expires is when the connection ends, with 4401. A client of package topic then
	// connects again, and loses no messages. The zero Time is never.
	Expires time.Time
}

// Grant is what a client may do in a topic to which it has subscribed. The zero Grant
// allows new messages only.
type Grant struct {
	// History allows messages from before the subscription. Without it, a client that
	// returns has a gap.
	History bool
	// Present announces the user to others.
	Present bool
	// Watch lets the client see who is present.
	Watch bool
	// Expires is when Access.Subscribe is asked again. If it refuses then, or returns a
	// time that has passed, the subscription ends. The zero Time is never.
	Expires time.Time
}

// Refusal is an error of an [Access] function whose text the client gets.
type Refusal struct {
	// Text is for the client.
	Text string
	// Later says that the client may try again: something has failed that is
	// expected to work soon. A client of package topic does so by itself.
	Later bool
}

// Error returns the Text.
func (r *Refusal) Error() string { return r.Text }

// Is reports whether target is [errors.ErrWebSocket].
func (r *Refusal) Is(target error) bool { return target == errors.ErrWebSocket }

// connect is the Authorize of the endpoint. The principal is a *Member.
func (e *Endpoint) connect(r *http.Request) (any, error) {
	if e.access.Connect == nil {
		return nil, errors.New("topicserver: Access.Connect is nil, which refuses every connection")
	}
	who, err := e.access.Connect(r)
	if err != nil {
		return nil, err
	}
	if len(who.User) > maxUser {
		return nil, errors.New("topicserver: Who.User is longer than 255 bytes")
	}
	return &Member{Who: who}, nil
}

const maxUser = 255

// Member is a client's connection.
type Member struct {
	*server.Conn

	// Who is what Access.Connect returned.
	Who Who

	state
}
