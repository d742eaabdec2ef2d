// Package subprotocol checks the names of subprotocols, on every target.
package subprotocol

import (
	"strings"
	"unicode/utf8"

	"github.com/isosocket/isosocket/errors"
)

// Check returns an error unless the names in offered are tokens and each occurs once: the
// rules of RFC 6455, section 4.1, and of the WHATWG WebSocket constructor. The error
// matches [errors.ErrInvalidSubprotocol] and says which name is wrong.
func Check(offered []string) error {
	for i, p := range offered {
		if !IsToken(p) {
			return &nameError{p, "is not a token of letters, digits and !#$%&'*+-.^_`|~"}
		}
		for _, other := range offered[:i] {
			if p == other {
				return &nameError{p, "is given twice"}
			}
		}
	}
	return nil
}

// IsToken reports whether s is a token of RFC 9110, section 5.6.2.
func IsToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// nameError reports one invalid name.
type nameError struct{ name, why string }

func (e *nameError) Error() string {
	return errors.ErrInvalidSubprotocol.Error() + ": " + quote(e.name) + " " + e.why
}

func (e *nameError) Unwrap() error { return errors.ErrInvalidSubprotocol }

// quote quotes s like strconv.Quote, but escapes only quotes, backslashes, control characters
// of ASCII and bytes that are not UTF-8. The tables of strconv would make a browser client larger.
func quote(s string) string {
	const digits = "0123456789abcdef"
	b := []byte{'"'}
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch c := s[0]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f || r == utf8.RuneError && size == 1:
			b = append(b, '\\', 'x', digits[c>>4], digits[c&15])
		default:
			b = append(b, s[:size]...)
		}
		s = s[size:]
	}
	return string(append(b, '"'))
}
