package chat

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
)

// Subprotocol is what a client offers, and the server chooses, to exchange JSON.
const Subprotocol = "chat.isosocket.v1"

// MaxMessageSize is the most bytes that one message from a client may have.
const MaxMessageSize = 16 << 10

// Type says what a [Message] is about.
type Type string

// The types of message that a client sends.
const (
	Join   Type = "join"   // the first message: Name, Platform
	Rename Type = "rename" // Name
	Say    Type = "say"    // Text
	Ping   Type = "ping"   // Seq, which comes back in a Pong
	Drop   Type = "drop"   // asks the server to cut the connection without a close frame
	Close  Type = "close"  // asks the server to close the connection with Reason and Text
)

// The types of message that the server sends.
const (
	Welcome Type = "welcome" // answers Join: ID and Name given, People, History
	Joined  Type = "joined"  // a person joined: ID, Name, Platform
	Left    Type = "left"    // a person left: ID, Name, Reason, Text
	Renamed Type = "renamed" // ID, Name, Old
	Said    Type = "said"    // ID, Name, Text, Time
	Pong    Type = "pong"    // Seq
	Refused Type = "refused" // the receiver's request was refused: Text says why
)

// Message is one message of the protocol. Which fields count depends on Type.
type Message struct {
	Type     Type               `json:"type"`
	ID       int                `json:"id,omitempty"`       // of the person that did it
	Name     string             `json:"name,omitempty"`     // of the person that did it
	Old      string             `json:"old,omitempty"`      // the name before
	Platform string             `json:"platform,omitempty"` // GOOS/GOARCH, or what else the client says it runs on
	Text     string             `json:"text,omitempty"`
	Time     int64              `json:"time,omitempty"` // milliseconds since 1970
	Seq      int                `json:"seq,omitempty"`
	Reason   errors.CloseReason `json:"reason,omitempty"`
	People   []Person           `json:"people,omitempty"`  // all who are there, the receiver included
	History  []Message          `json:"history,omitempty"` // the last Said messages, oldest first
}

// Person is a member of the chat.
type Person struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Platform string `json:"platform,omitempty"`
}

// Encode returns m as JSON.
func (m Message) Encode() []byte {
	data, err := json.Marshal(m)
	if err != nil {
		// Strings, numbers and slices of them always marshal.
		panic("chat: " + err.Error())
	}
	return data
}

// Decode reads a message from a client. Its error is a [*Violation]:
// InvalidPayload for data that is not a JSON object, PolicyViolation for a type that a
// client may not send.
func Decode(data []byte) (Message, error) {
	m, err := decode(data)
	if err != nil {
		return Message{}, err
	}
	switch m.Type {
	case Join, Rename, Say, Ping, Drop, Close:
		return m, nil
	}
	return Message{}, &Violation{errors.PolicyViolation, "unknown type " + quote(string(m.Type)) +
		"; allowed are join, rename, say, ping, drop, close"}
}

// DecodeEvent reads a message from the server. Its error is a [*Violation].
func DecodeEvent(data []byte) (Message, error) {
	m, err := decode(data)
	if err != nil {
		return Message{}, err
	}
	switch m.Type {
	case Welcome, Joined, Left, Renamed, Said, Pong, Refused:
		return m, nil
	}
	return Message{}, &Violation{errors.PolicyViolation, "the server sent the unknown type " + quote(string(m.Type))}
}

func decode(data []byte) (m Message, err error) {
	if err := json.Unmarshal(data, &m); err != nil {
		return m, &Violation{errors.InvalidPayload, "not a JSON message of the chat: " + strings.TrimPrefix(err.Error(), "json: ")}
	}
	return m, nil
}

// quote quotes text from a peer, cut so that it fits a close frame with other words.
func quote(s string) string {
	if len(s) > 20 {
		s = strings.ToValidUTF8(s[:20], "") + "…"
	}
	return strconv.Quote(s)
}

// Violation is a mistake of the program at the other end, and the reason to
// close the connection with.
type Violation struct {
	Reason  errors.CloseReason
	Message string
}

// Error returns the message and the reason.
func (v *Violation) Error() string { return "chat: " + v.Message + ": " + v.Reason.String() }

// Unwrap returns the reason, so that errors.Is finds it.
func (v *Violation) Unwrap() error { return v.Reason }

// Line returns m as a line for a person to read, without a line break at its
// end, or "" for messages that are not for people to read.
func (m Message) Line() string {
	switch m.Type {
	case Welcome:
		return "* you are " + m.Name + "; here: " + names(m.People)
	case Joined:
		return "* " + m.Name + " joined" + m.platform()
	case Left:
		return "* " + m.Name + " left: " + m.departure()
	case Renamed:
		return "* " + m.Old + " is now " + m.Name
	case Said:
		// An indent distinguishes a second line from a text of another person.
		return m.Name + ": " + strings.ReplaceAll(m.Text, "\n", "\n    ")
	case Refused:
		return "! " + m.Text
	}
	return ""
}

func (m Message) platform() string {
	if m.Platform == "" {
		return ""
	}
	return " (" + m.Platform + ")"
}

func (m Message) departure() string {
	if m.Text == "" {
		return m.Reason.String()
	}
	return m.Reason.String() + ": " + m.Text
}

// When returns Time as a time, the zero time if there is none.
func (m Message) When() time.Time {
	if m.Time == 0 {
		return time.Time{}
	}
	return time.UnixMilli(m.Time)
}

func names(people []Person) string {
	all := make([]string, len(people))
	for i, p := range people {
		all[i] = p.Name
	}
	return strings.Join(all, ", ")
}
