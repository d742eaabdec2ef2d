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
	host := authority(rest[2:])
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
	if !isPort(port) {
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

// authority returns the user and host at the begin of rest, which is what
// follows the scheme and //. It and isPort do by hand what strings.IndexAny and
// strconv.ParseUint would: those two make a browser build 5 KB larger.
func authority(rest string) string {
	for i := range len(rest) {
		if c := rest[i]; c == '/' || c == '?' || c == '#' {
			return rest[:i]
		}
	}
	return rest
}

// isPort reports whether s is a decimal number from 1 to 65535.
func isPort(s string) bool {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		if n = 10*n + int(s[i]-'0'); n > 65535 {
			return false
		}
	}
	return n > 0
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// redact leaves the password out of a URL that goes into an error.
func redact(url string) string {
	before, rest, ok := strings.Cut(url, "//")
	if !ok {
		return url
	}
	host := authority(rest)
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
