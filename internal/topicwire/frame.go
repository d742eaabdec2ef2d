package topicwire

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// Subprotocol is the name of the subprotocol.
const Subprotocol = "topics.isosocket.1"

// MaxHeader is how many bytes the header of a message may have, without its newline. It is
// enough for the longest fields, with every byte escaped.
const MaxHeader = 4096

// maxFields is how many fields of a message are read, with the verb. Others are ignored.
const maxFields = 6

// The codes of a refusal.
const (
	Denied  = "denied"  // the server does not allow it
	Invalid = "invalid" // a topic or position is not valid, or the request does not fit the state
	Limit   = "limit"   // a limit would be exceeded
	Rate    = "rate"    // too many requests in a short time: repeat it later
	Failed  = "failed"  // the server could not do it: repeat it later
)

// Expired is the reason with which a server closes a connection whose rights have expired.
// The client connects again, with new credentials.
const Expired errors.CloseReason = 4401

// Frame is one message of the subprotocol.
type Frame struct {
	Verb    string
	Payload ws.Message // its Kind is the message's
	fields  [maxFields - 1]string
}

// Field returns the field with the index, from 0; "" if there is none.
func (f *Frame) Field(i int) string { return f.fields[i] }

// Text returns the payload.
func (f *Frame) Text() string { return string(f.Payload.Data) }

// Parse reads a message. The Payload refers to its data. The error says what is wrong.
func Parse(m ws.Message) (Frame, error) {
	header, payload := m.Data, m.Data[len(m.Data):]
	if i := bytes.IndexByte(m.Data, '\n'); i >= 0 {
		header, payload = m.Data[:i], m.Data[i+1:]
	}
	f := Frame{Payload: ws.Message{Kind: m.Kind, Data: payload}}
	if len(header) > MaxHeader {
		return f, &frameError{"the header is longer than " + strconv.Itoa(MaxHeader) + " bytes"}
	}
	for i := range maxFields {
		field, rest, more := bytes.Cut(header, []byte{' '})
		text, err := unescape(field)
		if err != nil {
			return f, err
		}
		if i == 0 {
			f.Verb = text
		} else {
			f.fields[i-1] = text
		}
		if !more {
			break
		}
		header = rest
	}
	if f.Verb == "" {
		return f, &frameError{"the header does not begin with a verb"}
	}
	return f, nil
}

// Make returns a message with text or binary data as its payload.
func Make(payload ws.Message, verb string, fields ...string) ws.Message {
	size := len(verb) + len(payload.Data) + 1
	for _, f := range fields {
		size += len(f) + 1
	}
	data := append(make([]byte, 0, size), verb...)
	for _, f := range fields {
		data = appendEscaped(append(data, ' '), f)
	}
	if len(payload.Data) > 0 {
		data = append(append(data, '\n'), payload.Data...)
	}
	kind := payload.Kind
	if kind == 0 {
		kind = ws.KindText
	}
	return ws.Message{Kind: kind, NoCompression: payload.NoCompression, Data: data}
}

// Bytes returns b as a payload: text if it is UTF-8.
func Bytes(b []byte) ws.Message {
	if utf8.Valid(b) {
		return ws.Message{Kind: ws.KindText, Data: b}
	}
	return ws.Binary(b)
}

const hex = "0123456789ABCDEF"

// plain reports whether a byte stands for itself: those of JavaScript's encodeURIComponent.
func plain(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	switch c {
	case '-', '_', '.', '!', '~', '*', '\'', '(', ')':
		return true
	}
	return false
}

func appendEscaped(to []byte, field string) []byte {
	for i := range len(field) {
		if c := field[i]; plain(c) {
			to = append(to, c)
		} else {
			to = append(to, '%', hex[c>>4], hex[c&15])
		}
	}
	return to
}

func unescape(field []byte) (string, error) {
	escaped := false
	for _, c := range field {
		if c <= ' ' || c > '~' {
			return "", &frameError{"byte " + strconv.Itoa(int(c)) + " in the header is not escaped"}
		}
		escaped = escaped || c == '%'
	}
	if !escaped {
		return string(field), nil
	}
	text := make([]byte, 0, len(field))
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c == '%' {
			if i+2 >= len(field) {
				return "", errEscape
			}
			high, ok1 := digit(field[i+1])
			low, ok2 := digit(field[i+2])
			if !ok1 || !ok2 {
				return "", errEscape
			}
			c = high<<4 | low
			i += 2
		}
		text = append(text, c)
	}
	if !utf8.Valid(text) {
		return "", &frameError{"a field of the header is not UTF-8"}
	}
	return string(text), nil
}

func digit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

var errEscape error = &frameError{"a % in the header is not followed by two hexadecimal digits"}

type frameError struct{ what string }

func (e *frameError) Error() string { return "topics: invalid message: " + e.what }

func (e *frameError) Is(target error) bool { return target == errors.ErrWebSocket }
