//go:build !js

package wsurl

import (
	"fmt"
	"net/netip"
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
			return "", false // idna would replace invalid bytes
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
// Technical Standard 46), with the options that the URL Standard prescribes.
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

// ipv4 reads an address of one to four numbers. The last one fills the remaining bytes
// (URL Standard, IPv4 parser).
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

// ipv6 returns an address in brackets, in the form of RFC 5952, but without
// dotted decimals, which the URL Standard's serializer does not write.
func ipv6(s string) (address string, ok bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() || a.Zone() != "" {
		return "", false
	}
	if a.Is4In6() {
		b := a.As16()
		return fmt.Sprintf("[::ffff:%x:%x]", uint(b[12])<<8|uint(b[13]), uint(b[14])<<8|uint(b[15])), true
	}
	return "[" + a.String() + "]", true
}
