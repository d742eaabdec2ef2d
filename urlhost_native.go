//go:build !js

package isosocket

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// canonicalHost returns the form in which the URL Standard serialises a host: a
// name, in lower case and with characters that a name may have, or an IPv6 address
// in brackets.
func canonicalHost(host string) (canonical string, ok bool) {
	if host[0] == '[' {
		return ipv6(host[1 : len(host)-1])
	}
	if !isASCII(host) {
		if !utf8.ValidString(host) {
			return "", false // which idna would replace
		}
		if host, ok = asciiHost(host); !ok {
			return "", false
		}
	}
	if !endsInNumber(host) {
		return host, true
	}
	n, ok := ipv4(host)
	return strconv.Itoa(int(n>>24)) + "." + strconv.Itoa(int(n>>16&255)) + "." + strconv.Itoa(int(n>>8&255)) + "." + strconv.Itoa(int(n&255)), ok
}

// asciiHost returns the ASCII form of an internationalised domain name (Unicode
// Technical Standard 46), by the options that the URL Standard prescribes.
func asciiHost(host string) (ascii string, ok bool) {
	profile := idna.New(
		idna.MapForLookup(),
		idna.Transitional(false),
		idna.BidiRule(),
		idna.CheckJoiners(true),
		idna.CheckHyphens(false),
		idna.StrictDomainName(false),
		idna.VerifyDNSLength(false),
	)
	ascii, err := profile.ToASCII(host)
	return ascii, err == nil
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
func ipv6(s string) (address string, ok bool) {
	var pieces [8]uint64
	n, gap := 0, 0 // how many pieces there are, and how many of them end with ::, which stands for one or more
	if strings.HasPrefix(s, ":") {
		if !strings.HasPrefix(s, "::") {
			return "", false
		}
		n, gap, s = 1, 1, s[2:]
	}
	for s != "" {
		if n == 8 {
			return "", false
		}
		if s[0] == ':' { // the second of two
			if gap > 0 {
				return "", false
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
				return "", false
			}
			pieces[n], pieces[n+1] = a>>16, a&0xffff
			n += 2
			break
		}
		if length == 0 {
			return "", false
		}
		n++
		if s = s[length:]; s == "" {
			break
		}
		if s[0] != ':' || s == ":" {
			return "", false
		}
		s = s[1:]
	}
	if gap == 0 && n < 8 {
		return "", false
	}
	if gap > 0 && n < 8 {
		for i := n - 1; i >= gap; i-- {
			pieces[i+8-n], pieces[i] = pieces[i], 0
		}
	}
	return "[" + formatIPv6(&pieces) + "]", true
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
