//go:build !js

package handshake

import (
	"net/http"
	"strings"
	"unicode"

	"github.com/isosocket/isosocket/errors"
)

// refusal describes an answer with a status other than 101.
type refusal string

func (r refusal) Error() string { return string(r) }

// redirected describes an answer that names another address.
type redirected string

func (r redirected) Error() string { return string(r) }

func (r redirected) Is(target error) bool { return target == errors.ErrRedirected }

// maxRefusalText is the maximum length of a server's text in an error.
const maxRefusalText = 200

func newRefusal(response *http.Response, body []byte) error {
	s := http.StatusText(response.StatusCode)
	if s == "" {
		s = "refused"
	}
	if location := response.Header.Get("Location"); location != "" && response.StatusCode/100 == 3 {
		return redirected(s + ": redirects are not followed, as in a browser")
	}
	// Plain text is useful in an error; an HTML page is not.
	if kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "text/plain" {
		return refusal(s)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	line = strings.ToValidUTF8(strings.TrimSpace(line), "\uFFFD")
	line = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, line)
	if len(line) > maxRefusalText {
		line = strings.ToValidUTF8(line[:maxRefusalText], "") + "…"
	}
	if line == "" || strings.EqualFold(line, s) {
		return refusal(s)
	}
	return refusal(s + ": " + line)
}
