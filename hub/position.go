package hub

import (
	"strconv"
	"strings"

	"github.com/isosocket/isosocket/errors"
)

// Position is a place in a topic: that of one message. It is opaque: compare positions with
// ==, store them and give them to clients as text, and do not rely on what is in them. The
// zero Position is no place; functions that take one document its meaning.
//
// A Position has the epoch of the engine's storage and an offset. Within an epoch later
// messages of a topic have larger offsets, not necessarily the next number. When storage
// is lost or replaced, the epoch changes, so that a stored Position never points to
// another message by accident.
type Position struct {
	epoch  string
	offset uint64
}

// MakePosition returns a Position. It is for authors of an [Engine]. epoch has 1 to 64
// letters and digits; [ParsePosition] accepts no other.
func MakePosition(epoch string, offset uint64) Position { return Position{epoch, offset} }

// IsZero reports whether p is the zero Position.
func (p Position) IsZero() bool { return p == Position{} }

// Epoch returns the epoch. It is for authors of an [Engine].
func (p Position) Epoch() string { return p.epoch }

// Offset returns the offset. It is for authors of an [Engine].
func (p Position) Offset() uint64 { return p.offset }

// notAfter reports whether p is q or comes before it, as far as that is known: both must
// be of the same epoch.
func (p Position) notAfter(q Position) bool { return p.epoch == q.epoch && p.offset <= q.offset }

// String returns p as text for [ParsePosition], "" for the zero Position. It has letters,
// digits and a hyphen only.
func (p Position) String() string {
	if p.IsZero() {
		return ""
	}
	return p.epoch + "-" + strconv.FormatUint(p.offset, 36)
}

const maxEpoch = 64

// ParsePosition returns the Position of a text that String returned. Any other text is an
// error.
func ParsePosition(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	epoch, rest, ok := strings.Cut(s, "-")
	offset, err := strconv.ParseUint(rest, 36, 64)
	p := Position{epoch, offset}
	// The second spelling of a number is refused, so that equal positions are equal texts.
	if !ok || err != nil || !validEpoch(epoch) || p.String() != s {
		return Position{}, &positionError{s}
	}
	return p, nil
}

func validEpoch(s string) bool {
	if s == "" || len(s) > maxEpoch {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// MarshalText implements [encoding.TextMarshaler] with String.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] with [ParsePosition].
func (p *Position) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePosition(string(text))
	return err
}

type positionError struct{ text string }

func (e *positionError) Error() string {
	text := e.text
	if len(text) > 100 {
		text = text[:100] + "..."
	}
	return "hub: invalid position " + strconv.Quote(text) + "; allowed is a text that Position.String returned"
}

func (e *positionError) Is(target error) bool { return target == errors.ErrWebSocket }
