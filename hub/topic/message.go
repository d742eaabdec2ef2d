package topic

import (
	"strconv"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// Position is a place in a topic: that of one message. It is opaque: it may be stored, and
// compared with ==. "" is no place.
type Position string

// Message is a message of a topic. The program owns its data.
type Message struct {
	ws.Message

	// Topic is the topic's name.
	Topic string
	// Position is the place of the message in the topic.
	Position Position
	// Key is the subject of the message, from [PublishOptions].
	Key string
}

// Presence says that a user is, or is no longer, present in a topic.
type Presence struct {
	// Key identifies the user.
	Key string
	// Info is what the server tells of the user. It is empty if the user is gone.
	Info string
	// Here says whether the user is present.
	Here bool
}

// Gap is an error that is not an end: messages were lost for good, and the next ones
// follow.
type Gap struct {
	// Topic is the topic's name.
	Topic string
	// After is the position of the last message before the gap.
	After Position
	// Until is the position of the last message that is lost, "" if it is not known.
	Until Position
}

// Error names the topic and both positions.
func (g *Gap) Error() string {
	s := "topic " + strconv.Quote(g.Topic) + ": messages after position " + strconv.Quote(string(g.After))
	if g.Until != "" {
		s += " until " + strconv.Quote(string(g.Until))
	}
	return s + " are lost"
}

// Is reports whether target is [errors.ErrWebSocket].
func (g *Gap) Is(target error) bool { return target == errors.ErrWebSocket }

// The codes of a [RefusedError].
const (
	// Denied: the server does not allow it.
	Denied = topicwire.Denied
	// Invalid: the topic or the position is not valid.
	Invalid = topicwire.Invalid
	// Limit: a limit of the server would be exceeded.
	Limit = topicwire.Limit
)

// RefusedError is the error of a request that the server has refused, and of a
// subscription that it has ended.
type RefusedError struct {
	// Topic is the topic's name.
	Topic string
	// Code is Denied, Invalid or Limit, or another of a later server.
	Code string
	// Text is the server's reason, for people.
	Text string
}

// Error has all fields.
func (e *RefusedError) Error() string {
	return "topic " + strconv.Quote(e.Topic) + ": refused (" + e.Code + "): " + e.Text
}

// Is reports whether target is [errors.ErrWebSocket].
func (e *RefusedError) Is(target error) bool { return target == errors.ErrWebSocket }

// Errors of this package. They, and all other errors of it, are [errors.ErrWebSocket], too.
var (
	// ErrLeft: Leave has ended the subscription.
	ErrLeft error = sentinel("topic: the subscription has ended with Leave")
	// ErrSubscribed: the Client has a subscription to this topic already.
	ErrSubscribed error = sentinel("topic: the client has subscribed to this topic already")
)

type sentinel string

func (s sentinel) Error() string { return string(s) }

func (s sentinel) Is(target error) bool { return target == errors.ErrWebSocket }

// waitError is the error of a wait that a context ended.
type waitError struct {
	what string
	err  error
}

func (e *waitError) Error() string { return "topic: " + e.what + ": " + e.err.Error() }

func (e *waitError) Unwrap() error { return e.err }

func (e *waitError) Is(target error) bool { return target == errors.ErrWebSocket }

// maxField is how many bytes a topic, a key or an ID may have. A header with longer ones
// might be too long, and would end the connection.
const maxField = 255

// check returns why a request with these fields could not be sent.
func check(topic string, fields ...string) error {
	if topic == "" {
		return &RefusedError{topic, Invalid, "the topic has no name"}
	}
	for _, f := range append(fields, topic) {
		if len(f) > maxField {
			return &RefusedError{topic, Limit, "a topic, a position, a key and an ID have at most 255 bytes"}
		}
		if topicwire.Bytes([]byte(f)).Kind != ws.KindText {
			return &RefusedError{topic, Invalid, "a topic, a position, a key and an ID must be UTF-8"}
		}
	}
	return nil
}
