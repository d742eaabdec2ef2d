package isosocket

import (
	"strconv"
	"strings"

	"github.com/isosocket/isosocket/errors"
)

// checkSubprotocols holds offered against RFC 6455, section 4.1, and the
// WHATWG WebSocket constructor: tokens, none twice.
func checkSubprotocols(offered []string) error {
	for i, p := range offered {
		if !isToken(p) {
			return &subprotocolError{p, "is not a token of letters, digits and !#$%&'*+-.^_`|~"}
		}
		for _, other := range offered[:i] {
			if p == other {
				return &subprotocolError{p, "is given twice"}
			}
		}
	}
	return nil
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

type subprotocolError struct{ subprotocol, why string }

func (e *subprotocolError) Error() string {
	return errors.ErrInvalidSubprotocol.Error() + ": " + strconv.Quote(e.subprotocol) + " " + e.why
}

func (e *subprotocolError) Unwrap() error { return errors.ErrInvalidSubprotocol }
