package wsurl

import (
	"strconv"
	"strings"
)

// setHost reads a host with an optional port (URL Standard, host parsing).
func (u *URL) setHost(s string) error {
	name, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return &urlError{"the IPv6 address of the host has no closing ]"}
		}
		name, port = s[:end+1], s[end+1:]
		if port != "" && port[0] != ':' {
			return &urlError{"something other than a port follows the host's ]"}
		}
		if port != "" {
			port = port[1:]
		}
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		name, port = s[:i], s[i+1:]
	}
	if name == "" || name == "[]" {
		return &urlError{"it has no host"}
	}
	number, ok := parsePort(port)
	if !ok {
		return &urlError{"the port is not a number from 1 to 65535"}
	}
	if name[0] != '[' {
		var err error
		if name, err = hostName(name); err != nil {
			return err
		}
	} else if name, ok = canonicalHost(name); !ok {
		return &urlError{"the host in [ ] is not an IPv6 address such as [2001:db8::1]"}
	}
	u.Host = name
	if number != 0 && !(u.Scheme == "ws" && number == 80) && !(u.Scheme == "wss" && number == 443) {
		u.Host += ":" + strconv.Itoa(number)
	}
	return nil
}

// parsePort returns 0 for an empty port. It does not use strconv.ParseUint, which makes
// a browser build larger.
func parsePort(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n = 10*n + int(s[i]-'0'); n > 65535 {
			return 0, false
		}
	}
	return n, n > 0 || s == ""
}

// hostName returns a DNS name or IPv4 address in its ASCII form.
func hostName(s string) (string, error) {
	s = lowerASCII(percentDecode(s))
	if err := checkHostName(s); err != nil {
		return "", err
	}
	host, ok := canonicalHost(s)
	switch {
	case ok && host != "" && checkHostName(host) == nil:
		return host, nil
	case isASCII(s):
		return "", &urlError{"the host ends in a number, but is not an IPv4 address such as 192.0.2.1"}
	}
	return "", &urlError{"the host is not a valid internationalised domain name"}
}

// checkHostName returns an error for an ASCII character that no host name has. Browsers
// accept a few characters that no DNS name has either: braces and dollar signs, for
// example, which usually come from a placeholder that was not filled in.
func checkHostName(s string) error {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c >= 0x80:
			continue
		case c <= ' ', c == 0x7f:
			return &urlError{"the host has a space or control character"}
		case c == '{' || c == '}' || c == '$':
			return &urlError{"the host has the character \"" + s[i:i+1] + "\", as of a placeholder that was not filled in" + allowedInHost}
		}
		return &urlError{"the host has the character \"" + s[i:i+1] + "\"" + allowedInHost}
	}
	return nil
}

const allowedInHost = "; allowed are letters, digits, -, _ and ., or an IPv6 address in [ ]"

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// percentDecode does not change a % without two hexadecimal digits after it.
func percentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && digit(s[i+1]) < 16 && digit(s[i+2]) < 16 {
			b = append(b, byte(digit(s[i+1])<<4|digit(s[i+2])))
			i += 2
		} else {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// digit returns the value of the hexadecimal digit c, 16 if c is not one.
func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint64(c | 0x20 - 'a' + 10)
	}
	return 16
}
