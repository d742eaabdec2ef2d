package ws

import (
	"unicode/utf8"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// Kind is the kind of a message: text or binary.
type Kind = driver.Kind

// The kinds of message, with the values of their opcodes (RFC 6455, section 11.8).
const (
	KindText   = driver.KindText   // the data is UTF-8
	KindBinary = driver.KindBinary // the data is any bytes
)

// Message is one whole message: its kind and its data. Each method that takes or
// returns a Message says who owns the data, and for how long.
type Message struct {
	// Kind is KindText or KindBinary; the zero Kind cannot be sent.
	Kind Kind
	// NoCompression says that the message is sent without compression, even if the
	// handshake agreed on it: for data that is compressed already, and for secrets
	// together with data that an attacker chooses, since the size of a compressed
	// message reveals how much they have in common. Later messages do not refer to it,
	// either. It has no effect in a browser, which decides by itself, and is false in a
	// message that was received.
	NoCompression bool
	// Data is the payload, which for text must be UTF-8. nil and empty are the
	// same: an empty message.
	Data []byte
}

// Text returns a text message with a copy of s, which must be UTF-8.
func Text(s string) Message { return Message{Kind: KindText, Data: []byte(s)} }

// Binary returns a binary message that holds b itself, not a copy.
func Binary(b []byte) Message { return Message{Kind: KindBinary, Data: b} }

// Check returns nil if m may be sent and has at most maxSize bytes of data; a maxSize
// of 0 or less means no limit. Otherwise the error is [errors.ErrInvalidUTF8],
// [errors.ErrMessageTooBig] with both sizes, or an error that describes the invalid
// Kind.
func (m Message) Check(maxSize int) error {
	if maxSize > 0 && len(m.Data) > maxSize {
		return &sizeError{size: int64(len(m.Data)), limit: int64(maxSize), option: "MaxMessageSize"}
	}
	switch m.Kind {
	case KindBinary:
	case KindText:
		if !utf8.Valid(m.Data) {
			return errors.ErrInvalidUTF8
		}
	default:
		return &kindError{m.Kind}
	}
	return nil
}

// String returns the data as a string.
func (m Message) String() string { return string(m.Data) }
