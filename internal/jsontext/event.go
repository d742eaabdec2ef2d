package jsontext

import (
	"bytes"
	"errors"
)

// Event is one MessageEvent of a batch.
type Event struct {
	// Text is a text message as it stands between the quotes, still escaped,
	// in the memory that was read. [AppendUnescaped] gives its data.
	Text []byte
	// Size is the number of bytes of a binary message's data.
	Size int
	// Binary tells a binary message, of which only the size is known here.
	Binary bool
}

// ErrSyntax is returned for anything that JSON.stringify does not make out of
// an array of MessageEvents; a page has put something in its place then.
var ErrSyntax = errors.New("JSON.stringify of message events gave something else than an array of them")

const (
	textPrefix   = `{"data":"`
	binaryPrefix = `{"data":{"byteLength":`
)

// AppendEvents appends the events in text to events.
func AppendEvents(events []Event, text []byte) ([]Event, error) {
	if len(text) == 0 || text[0] != '[' {
		return events, ErrSyntax
	}
	for text = text[1:]; ; text = text[1:] {
		switch {
		case hasPrefix(text, textPrefix):
			text = text[len(textPrefix):]
			end := quoteEnd(text)
			if end < 0 || !hasPrefix(text[end+1:], "}") {
				return events, ErrSyntax
			}
			events = append(events, Event{Text: text[:end]})
			text = text[end+2:]
		case hasPrefix(text, binaryPrefix):
			text = text[len(binaryPrefix):]
			size, digits := 0, 0
			for digits < len(text) && '0' <= text[digits] && text[digits] <= '9' && digits < maxDigits {
				size = 10*size + int(text[digits]-'0')
				digits++
			}
			if digits == 0 || !hasPrefix(text[digits:], "}}") {
				return events, ErrSyntax
			}
			events = append(events, Event{Size: size, Binary: true})
			text = text[digits+2:]
		case string(text) == "]" && len(events) == 0:
			return events, nil
		default:
			return events, ErrSyntax
		}
		if string(text) == "]" {
			return events, nil
		}
		if !hasPrefix(text, ",") {
			return events, ErrSyntax
		}
	}
}

func hasPrefix(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}

// maxDigits is more than the size of any ArrayBuffer has.
const maxDigits = 15

// quoteEnd returns the index of the quote that ends the string which text
// begins with, -1 if there is none.
func quoteEnd(text []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(text[from:], '"')
		if i < 0 {
			return -1
		}
		i += from
		backslashes := 0
		for i-backslashes > from && text[i-backslashes-1] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
		from = i + 1
	}
}
