package nats

import "strings"

// The subjects of an engine, each after the prefix.
const (
	storedPart  = ".h."     // published by machines and stored by the stream, before a token
	livePart    = ".live."  // republished by the stream, or published by machines, before a token
	whoPart     = ".who"    // presence, for all machines; before a dot and a machine's name for one
	markerToken = "=marker" // no topic has this token
)

const upperHex = "0123456789ABCDEF"

// token returns the name of a topic as one token of a subject. Letters, digits, - and _ stand
// for themselves, any other byte is = and two digits of upper-case hexadecimal.
func token(name string) string {
	plain := true
	for i := range len(name) {
		plain = plain && isPlain(name[i])
	}
	if plain {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; isPlain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('=')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
