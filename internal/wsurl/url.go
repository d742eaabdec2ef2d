package wsurl

import (
	"strings"

	"github.com/isosocket/isosocket/errors"
)

// URL is a WebSocket URL in the form in which the WHATWG URL Standard
// serializes it: ASCII only, without dot segments, percent-encoded. No URL
// parser changes it any more, so that every target sends the same request.
type URL struct {
	Scheme   string // "ws" or "wss"
	Userinfo string // percent-encoded, without the @; "" if there is none
	Host     string // with the port, unless it is the default of the scheme
	Path     string // begins with a slash
	Query    string // begins with a question mark, unless it is empty
}

// Unredacted returns the whole URL, secrets included.
func (u *URL) Unredacted() string {
	user := u.Userinfo
	if user != "" {
		user += "@"
	}
	return u.Scheme + "://" + user + u.Host + u.Path + u.Query
}

// String returns the URL for an error or a log. It hides the parts that
// may be secret: the user and the password, the query, and a path with an @ in it,
// which is most likely the rest of a password that has a slash.
func (u *URL) String() string {
	user, path, query := u.Userinfo, u.Path, u.Query
	if user != "" {
		user = hidden + "@"
	}
	if strings.IndexByte(path, '@') >= 0 {
		path = "/" + hidden
	}
	if len(query) > 1 {
		query = "?" + hidden
	}
	return u.Scheme + "://" + user + u.Host + path + query
}

// Redact returns url in a form that is safe in an error. It returns "" if url is not
// valid, because it cannot tell where the secrets of an invalid URL are.
func Redact(url string) string {
	u, err := Parse(url)
	if err != nil {
		return ""
	}
	return u.String()
}

// hidden replaces a part that may be secret.
const hidden = "xxxxx"

// Parse reads a WebSocket URL before any I/O, by the rules of the WHATWG URL
// Standard and its WebSocket constructor, on every target. It is stricter where
// those rules guess (missing or extra slashes), or accept URLs that cannot be
// dialed (port 0, hosts that are no DNS names).
//
// No error repeats any part of url that could be a secret. net/url would make a
// browser build too large, and follows other rules.
func Parse(url string) (*URL, error) {
	url = trimURL(url)
	if url == "" {
		return nil, &urlError{"it is empty; a ws, wss, http or https URL is needed"}
	}
	scheme, rest, ok := strings.Cut(url, ":")
	if !ok || len(rest) < 2 || !isSlash(rest[0]) || !isSlash(rest[1]) {
		return nil, &urlError{"it is not absolute; it must begin with ws://, wss://, http:// or https://"}
	}
	u := &URL{}
	switch lowerASCII(scheme) {
	case "ws", "http":
		u.Scheme = "ws"
	case "wss", "https":
		u.Scheme = "wss"
	default:
		if !isScheme(scheme) {
			return nil, &urlError{"it does not begin with ws://, wss://, http:// or https://"}
		}
		return nil, &urlError{"the scheme \"" + scheme + "\" is not ws, wss, http or https"}
	}
	if strings.IndexByte(rest, '#') >= 0 {
		return nil, &urlError{"it has a fragment, which WebSocket URLs do not have; a # that belongs to a password, path or query is written %23"}
	}
	rest = rest[2:]
	end := 0
	for end < len(rest) && !isSlash(rest[end]) && rest[end] != '?' {
		end++
	}
	host, rest := rest[:end], rest[end:]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		u.Userinfo, host = encodeUserinfo(host[:at]), host[at+1:]
	}
	if err := u.setHost(host); err != nil {
		return nil, err
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	u.Path = encodePath(path)
	if hasQuery {
		u.Query = string(percentEncode([]byte{'?'}, query, inQuery))
	}
	return u, nil
}

// trimURL removes the white space that URL parsers ignore: control characters
// and spaces around the URL, tabs and line breaks within.
func trimURL(url string) string {
	for url != "" && url[0] <= ' ' {
		url = url[1:]
	}
	for url != "" && url[len(url)-1] <= ' ' {
		url = url[:len(url)-1]
	}
	for i := range len(url) {
		if !isTabOrNewline(url[i]) {
			continue
		}
		kept := []byte(url[:i])
		for ; i < len(url); i++ {
			if !isTabOrNewline(url[i]) {
				kept = append(kept, url[i])
			}
		}
		return string(kept)
	}
	return url
}

func isTabOrNewline(c byte) bool { return c == '\t' || c == '\n' || c == '\r' }

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// isScheme reports whether s may be repeated in an error: it has the form of a
// scheme, and is short.
func isScheme(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return s != "" && len(s) <= 8
}

// The parts of a URL with percent-encode sets of their own.
const (
	inQuery = iota
	inPath
	inUserinfo
)

// mustEncode reports whether c is in a part's percent-encode set. A bar in a path
// is not in the Standard's, but Chromium encodes it.
func mustEncode(c byte, part int) bool {
	if c <= ' ' || c > '~' {
		return true
	}
	switch c {
	case '"', '#', '<', '>':
		return true
	case '\'':
		return part == inQuery
	case '?', '^', '`', '{', '|', '}':
		return part != inQuery
	case '/', ':', ';', '=', '@', '[', '\\', ']':
		return part == inUserinfo
	}
	return false
}

// percentEncode appends s to b. A byte that is not UTF-8 becomes U+FFFD, as it
// does wherever a string goes to JavaScript.
func percentEncode(b []byte, s string, part int) []byte {
	const digits = "0123456789ABCDEF"
	for _, r := range s {
		for _, c := range []byte(string(r)) {
			if mustEncode(c, part) {
				b = append(b, '%', digits[c>>4], digits[c&15])
			} else {
				b = append(b, c)
			}
		}
	}
	return b
}

func encodeUserinfo(s string) string {
	user, password, _ := strings.Cut(s, ":")
	b := percentEncode(nil, user, inUserinfo)
	if password != "" {
		b = percentEncode(append(b, ':'), password, inUserinfo)
	}
	return string(b)
}

// encodePath resolves dot segments and percent-encodes the rest (URL Standard,
// path state).
func encodePath(s string) string {
	var b []byte // each segment after its slash
	for s != "" {
		end := 1 // after a slash
		for end < len(s) && !isSlash(s[end]) {
			end++
		}
		segment := s[1:end]
		s = s[end:]
		dots := dotsOf(segment)
		if dots == 2 {
			for len(b) > 0 {
				last := b[len(b)-1]
				b = b[:len(b)-1]
				if last == '/' {
					break
				}
			}
		}
		if dots == 0 {
			b = percentEncode(append(b, '/'), segment, inPath)
		} else if s == "" {
			b = append(b, '/')
		}
	}
	if len(b) == 0 {
		return "/"
	}
	if len(b) > 1 && b[1] == '/' {
		b = encodeStray(b)
	}
	return string(b)
}

// encodeStray percent-encodes each % that does not begin a percent-encoding. net/http
// cannot send one in a path that begins with //.
func encodeStray(path []byte) (b []byte) {
	for i, c := range path {
		b = append(b, c)
		if c == '%' && (i+2 >= len(path) || digit(path[i+1]) == 16 || digit(path[i+2]) == 16) {
			b = append(b, "25"...)
		}
	}
	return b
}

// dotsOf returns how many dots a segment consists of, plain or percent-encoded,
// if there are one or two, and 0 otherwise.
func dotsOf(segment string) int {
	n := 0
	for ; segment != ""; n++ {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && segment[0] == '%' && segment[1] == '2' && segment[2]|0x20 == 'e':
			segment = segment[3:]
		default:
			return 0
		}
	}
	if n > 2 {
		return 0
	}
	return n
}

// lowerASCII is strings.ToLower without the Unicode tables, which would be in
// every browser build for this.
func lowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c | 0x20
		}
	}
	return string(lower)
}

// Scrub removes secrets of u from the text of err, in case a server, a transport or a
// browser has repeated them there. The result wraps err.
func (u *URL) Scrub(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := u.scrubText(text)
	if clean == text {
		return err
	}
	return &scrubbed{clean, err}
}

// scrubbed is an error without the secrets in its text.
type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string { return e.text }

func (e *scrubbed) Unwrap() error { return e.err }

type urlError struct{ why string }

func (e *urlError) Error() string { return errors.ErrInvalidURL.Error() + ": " + e.why }

func (e *urlError) Unwrap() error { return errors.ErrInvalidURL }
