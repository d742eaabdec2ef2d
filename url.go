package isosocket

import (
	"strconv"
	"strings"

	"github.com/isosocket/isosocket/errors"
)

// parseURL checks a WebSocket URL before any I/O and returns it with the
// scheme ws or wss (WHATWG WebSockets, section 3.1). net/url would do, but a
// browser build shall not carry it.
func parseURL(url string) (string, error) {
	if url == "" {
		return "", &urlError{"it is empty; a ws, wss, http or https URL is needed"}
	}
	for i := range len(url) {
		if c := url[i]; c <= ' ' || c == 0x7f {
			return "", &urlError{"it has a space or control character at byte " + strconv.Itoa(i)}
		}
	}
	scheme, rest, ok := strings.Cut(url, ":")
	if !ok || !strings.HasPrefix(rest, "//") {
		return "", &urlError{"it is not absolute; it must begin with ws://, wss://, http:// or https://"}
	}
	switch lowerASCII(scheme) {
	case "ws", "http":
		scheme = "ws"
	case "wss", "https":
		scheme = "wss"
	default:
		return "", &urlError{"the scheme " + strconv.Quote(scheme) + " is not ws, wss, http or https"}
	}
	if strings.IndexByte(rest, '#') >= 0 {
		return "", &urlError{"it has a fragment; WebSocket URLs have none"}
	}
	host := rest[2:]
	if i := strings.IndexAny(host, "/?"); i >= 0 {
		host = host[:i]
	}
	if err := checkHost(host[strings.LastIndexByte(host, '@')+1:]); err != nil {
		return "", err
	}
	for i := 0; i < len(rest); i++ {
		if rest[i] == '%' && (i+2 >= len(rest) || !isHex(rest[i+1]) || !isHex(rest[i+2])) {
			return "", &urlError{"a % is not followed by two hexadecimal digits"}
		}
	}
	return scheme + "://" + host + escape(rest[2+len(host):]), nil
}

// escape percent-encodes in a path and query what no URL may contain, as
// browsers do (WHATWG URL, section 1.3).
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c == '"' || c == '<' || c == '>' {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func checkHost(host string) error {
	name, port := host, ""
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return &urlError{"the IPv6 address of the host has no closing ]"}
		}
		name, port = host[:end+1], host[end+1:]
		if port != "" && port[0] != ':' {
			return &urlError{"something other than a port follows the host's ]"}
		}
		port = strings.TrimPrefix(port, ":")
	} else if i := strings.IndexByte(host, ':'); i >= 0 {
		name, port = host[:i], host[i+1:]
	}
	if name == "" || name == "[]" {
		return &urlError{"it has no host"}
	}
	if port == "" {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return &urlError{"the port " + strconv.Quote(port) + " is not a number from 1 to 65535"}
	}
	return nil
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

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// redact leaves the password out of a URL that goes into an error.
func redact(url string) string {
	before, rest, ok := strings.Cut(url, "//")
	if !ok {
		return url
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	user, _, _ := strings.Cut(host, "@")
	name, _, hasPassword := strings.Cut(user, ":")
	if user == host || !hasPassword {
		return url
	}
	return before + "//" + name + ":xxxxx" + rest[len(user):]
}

type urlError struct{ why string }

func (e *urlError) Error() string { return errors.ErrInvalidURL.Error() + ": " + e.why }

func (e *urlError) Unwrap() error { return errors.ErrInvalidURL }
