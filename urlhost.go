package isosocket

import (
	"strconv"
	"strings"
)

// setHost reads a host with an optional port (URL Standard, host parsing).
func (a *address) setHost(s string) error {
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
	var err error
	if name[0] == '[' {
		name, err = ipv6(name[1 : len(name)-1])
	} else {
		name, err = hostName(name)
	}
	if err != nil {
		return err
	}
	a.host = name
	if number != 0 && !(a.scheme == "ws" && number == 80) && !(a.scheme == "wss" && number == 443) {
		a.host += ":" + strconv.Itoa(number)
	}
	return nil
}

// parsePort returns 0 for a port that is not there. It does by hand what
// strconv.ParseUint would: that makes a browser build larger.
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
	if !isASCII(s) {
		for _, r := range s {
			if r == 0xFFFD { // also what is not UTF-8
				return "", &urlError{"the host is not valid UTF-8"}
			}
		}
		var ok bool
		if s, ok = asciiHost(s); !ok || s == "" || checkHostName(s) != nil {
			return "", &urlError{"the host is not a valid internationalised domain name"}
		}
	}
	if !endsInNumber(s) {
		return s, nil
	}
	n, ok := ipv4(s)
	if !ok {
		return "", &urlError{"the host ends in a number, but is not an IPv4 address such as 192.0.2.1"}
	}
	return strconv.Itoa(int(n>>24)) + "." + strconv.Itoa(int(n>>16&255)) + "." + strconv.Itoa(int(n>>8&255)) + "." + strconv.Itoa(int(n&255)), nil
}

// checkHostName finds an ASCII character that no host name has. Browsers accept a
// few more of them, which no DNS name has either: braces and dollar signs, for
// example, of a placeholder that nobody filled in.
func checkHostName(s string) error {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c >= 0x80:
			continue
		case c <= ' ', c == 0x7f:
			return &urlError{"the host has a space or control character"}
		case c == '{' || c == '}' || c == '$':
			return &urlError{"the host has the character " + strconv.Quote(s[i:i+1]) + ", as of a placeholder that was not filled in" + allowedInHost}
		}
		return &urlError{"the host has the character " + strconv.Quote(s[i:i+1]) + allowedInHost}
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

// percentDecode leaves a % alone that no two hexadecimal digits follow.
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

// digit returns the value of a hexadecimal digit, 16 if c is none.
func digit(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint64(c | 0x20 - 'a' + 10)
	}
	return 16
}

// endsInNumber reports whether the last label of s, which may have a dot after
// it, is a number. s then has to be an IPv4 address (URL Standard, ends in a
// number checker).
func endsInNumber(s string) bool {
	if len(s) > 1 && s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if _, ok := ipv4Number(last); ok {
		return true
	}
	for i := range len(last) {
		if last[i] < '0' || last[i] > '9' {
			return false
		}
	}
	return last != ""
}

// ipv4 reads an address of one to four numbers, the last of which fills what the
// others leave (URL Standard, IPv4 parser).
func ipv4(s string) (address uint64, ok bool) {
	if len(s) > 1 && s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	shift := 32
	for {
		part, rest, more := strings.Cut(s, ".")
		n, ok := ipv4Number(part)
		if !ok || shift == 0 {
			return 0, false
		}
		if !more {
			return address | n, n < 1<<shift
		}
		shift -= 8
		if n > 255 {
			return 0, false
		}
		address |= n << shift
		s = rest
	}
}

// ipv4Number reads a decimal, octal (0…) or hexadecimal (0x…) number.
func ipv4Number(s string) (n uint64, ok bool) {
	base := uint64(10)
	switch {
	case s == "":
		return 0, false
	case len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x':
		s, base = s[2:], 16
	case len(s) >= 2 && s[0] == '0':
		s, base = s[1:], 8
	}
	for i := range len(s) {
		d := digit(s[i])
		if d >= base {
			return 0, false
		}
		n = min(n*base+d, 1<<32) // too large for any address
	}
	return n, true
}

// ipv6 returns an address in brackets, in the form of RFC 5952 (URL Standard,
// IPv6 parser and serializer).
func ipv6(s string) (string, error) {
	var pieces [8]uint64
	n, gap := 0, 0 // how many pieces there are, and how many of them end with ::, which stands for one or more
	wrong := &urlError{"the host in [ ] is not an IPv6 address such as [2001:db8::1]"}
	if strings.HasPrefix(s, ":") {
		if !strings.HasPrefix(s, "::") {
			return "", wrong
		}
		n, gap, s = 1, 1, s[2:]
	}
	for s != "" {
		if n == 8 {
			return "", wrong
		}
		if s[0] == ':' { // the second of two
			if gap > 0 {
				return "", wrong
			}
			n++
			gap, s = n, s[1:]
			continue
		}
		length := 0
		for length < len(s) && length < 4 && digit(s[length]) < 16 {
			pieces[n] = pieces[n]<<4 | digit(s[length])
			length++
		}
		if length < len(s) && s[length] == '.' {
			a, ok := dottedQuad(s)
			if !ok || n > 6 {
				return "", wrong
			}
			pieces[n], pieces[n+1] = a>>16, a&0xffff
			n += 2
			break
		}
		if length == 0 {
			return "", wrong
		}
		n++
		if s = s[length:]; s == "" {
			break
		}
		if s[0] != ':' || s == ":" {
			return "", wrong
		}
		s = s[1:]
	}
	if gap == 0 && n < 8 {
		return "", wrong
	}
	if gap > 0 && n < 8 {
		for i := n - 1; i >= gap; i-- {
			pieces[i+8-n], pieces[i] = pieces[i], 0
		}
	}
	return "[" + formatIPv6(&pieces) + "]", nil
}

// dottedQuad reads the IPv4 address at the end of an IPv6 address: four decimal
// numbers without zeros in front.
func dottedQuad(s string) (address uint64, ok bool) {
	for i := range 4 {
		part, rest, more := strings.Cut(s, ".")
		if more != (i < 3) || part == "" || len(part) > 3 || part[0] == '0' && part != "0" {
			return 0, false
		}
		n := uint64(0)
		for j := range len(part) {
			if part[j] < '0' || part[j] > '9' {
				return 0, false
			}
			n = 10*n + uint64(part[j]-'0')
		}
		if n > 255 {
			return 0, false
		}
		address, s = address<<8|n, rest
	}
	return address, true
}

// formatIPv6 puts :: in the place of the first longest run of zeros, of two or
// more.
func formatIPv6(pieces *[8]uint64) string {
	start, longest := -1, 1
	for i := 0; i < 8; i++ {
		length := 0
		for i+length < 8 && pieces[i+length] == 0 {
			length++
		}
		if length > longest {
			start, longest = i, length
		}
		i += length
	}
	const digits = "0123456789abcdef"
	var b []byte
	for i := 0; i < 8; i++ {
		if i == start {
			b = append(b, ':', ':')
			i += longest - 1
			continue
		}
		if len(b) > 0 && b[len(b)-1] != ':' {
			b = append(b, ':')
		}
		for shift := 12; shift >= 0; shift -= 4 {
			if pieces[i]>>shift != 0 || shift == 0 {
				b = append(b, digits[pieces[i]>>shift&15])
			}
		}
	}
	return string(b)
}
