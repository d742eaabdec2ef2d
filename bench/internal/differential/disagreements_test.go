package differential

import (
	"fmt"
	"regexp"
	"strings"
)

// disagreement is a known difference between this library's decoder and a peer.
type disagreement struct {
	peer    string
	ours    string // pattern of this library's event
	theirs  string // pattern of the peer's
	what    string // what the peer does
	right   string // who follows the RFC
	section string
	role    role
	when    func(role, []byte) bool // what must hold of the stream, too, nil for nothing
	wire    string                  // an example, in hexadecimal digits
}

func (d *disagreement) matches(peer string, r role, wire []byte, ours, theirs event) bool {
	return d.peer == peer && matches(d.ours, ours) && matches(d.theirs, theirs) && (d.when == nil || d.when(r, wire))
}

func matches(pattern string, e event) bool {
	return regexp.MustCompile("^(?s:" + pattern + ")$").MatchString(e.String())
}

// anything is what a peer does after it has accepted what this library refuses.
const anything = ".*"

// What more than one peer accepts.
const (
	notShortest = `failed 1002: payload length \d+ in (16|64) bits.*`
	invalidText = `failed 1007: text message is not valid UTF-8`
	rsv1Again   = `failed 1002: reserved bit RSV1 on a .*`
)

// disagreements are all that are known. The first difference in a stream counts; nothing after it is
// compared.
var disagreements = []disagreement{
	{peer: "gorilla", ours: notShortest, theirs: anything, what: "reads a length that is not in the shortest form",
		section: "RFC 6455, 5.2", right: "isosocket: \"the minimal number of bytes MUST be used\"", wire: "827e0001 61"},
	{peer: "gorilla", ours: `(cut|failed 1002: payload length with its most.*)`, theirs: `failed 0: websocket: read limit exceeded`, when: hasHugeLength, what: "ends without a close frame after a length of 2^63 or more",
		section: "RFC 6455, 5.2 and 7.1.7", right: "isosocket: a close frame should be sent", wire: "827fffffffffffffffff"},
	{peer: "gorilla", ours: `failed 1009.*`, theirs: `failed 0: websocket: read limit exceeded`, what: "ends without a close frame if the lengths of fragments add up to 2^63 or more",
		section: "RFC 6455, 7.1.7", right: "isosocket: a close frame should be sent", wire: "020161 807f7fffffffffffffff"},
	{peer: "gorilla", ours: `failed 1002: close frame with a payload of 1 byte.*`, theirs: `close 1005 ""`, what: "takes a close frame with a payload of one byte for an empty one",
		section: "RFC 6455, 5.5.1", right: "isosocket: a body MUST begin with a code of two bytes", wire: "880103"},
	{peer: "gorilla", ours: `(close 1014|failed 1007: close message).*`, theirs: `failed 1002: websocket: bad close code 1014`, what: "refuses the close code 1014",
		section: "RFC 6455, 7.4.2 and 11.7", right: "isosocket: the code is registered", wire: "880203f6"},
	{peer: "gorilla", ours: `failed 1007: close message is not valid UTF-8`, theirs: `failed 1002: websocket: invalid utf8 payload in close frame`, what: "answers a close reason that is not UTF-8 with 1002, this library with 1007",
		section: "RFC 6455, 8.1 and 7.4.1", right: "isosocket: 1007 is the code for such data; both fail the connection", wire: "880303e8ff"},
	{peer: "gorilla", ours: invalidText, theirs: anything, what: "does not check that text is UTF-8, and says so",
		section: "RFC 6455, 8.1", right: "isosocket", wire: "8101ff"},
	{peer: "gorilla", ours: rsv1Again, theirs: anything, what: "with compression, reads RSV1 on control frames and continuations",
		section: "RFC 7692, 6.1", right: "isosocket", role: inflating, wire: "c980 00000000"},
	{peer: "gorilla", ours: anything, theirs: `(text|binary|failed 1002|failed 1009).*`, when: hasFinalBlock, what: "ends a compressed message at a final block, and drops what follows it",
		section: "RFC 7692, 7.2.3.4", right: "isosocket: a message may have more blocks", role: inflating, wire: "c28c 00000000 010100feff61 000100feff62"},
	{peer: "gorilla", ours: `(text|binary) ""`, theirs: `failed 0: flate: corrupt.*`, when: hasNoBlock, what: "refuses a compressed message without a byte, which this library reads as empty",
		section: "RFC 7692, 7.2.2", right: "open: the bytes are no whole block, but zlib, with which most peers inflate, reads them so", role: inflating, wire: "c280 00000000"},
	{peer: "gorilla", ours: `failed 1007: compressed message.*`, theirs: `failed 0: (flate: corrupt.*|unexpected EOF)`, what: "ends without a close frame after data that cannot be inflated",
		section: "RFC 6455, 7.1.7", right: "isosocket: a close frame should be sent", role: inflating, wire: "c181 00000000 07"},
	{peer: "gorilla", ours: `(cut|ping|pong|close|failed).*`, theirs: `failed 0: (flate: corrupt.*|unexpected EOF)`, when: hasBadPart, what: "inflates fragments as they come, and so fails before the last one",
		section: "RFC 7692, 6.2", right: "both", role: inflating, wire: "4181 00000000 07"},
	{peer: "gorilla", ours: `(text|binary|cut|ping|pong|close|failed 1002|failed 1007).*`, theirs: `failed 1009: websocket: read limit exceeded`, when: isLargeCompressed, what: "bounds the compressed size of a message",
		section: "RFC 6455, 10.4", right: "both: a limit is the program's", role: inflating, wire: "41fe0259 00000000"},
	{peer: "gorilla", ours: `failed 1009: compressed message of more.*`, theirs: anything, what: "does not bound the inflated size of a message",
		section: "RFC 6455, 10.4", right: "isosocket", role: inflating, wire: "c18b 00000000 4a4c1c05a360140c770000"},

	{peer: "gws", ours: notShortest, theirs: anything, what: "reads a length that is not in the shortest form",
		section: "RFC 6455, 5.2", right: "isosocket: \"the minimal number of bytes MUST be used\"", wire: "827e0001 61"},
	{peer: "gws", ours: `failed 1002.*`, theirs: `failed 0: .*`, when: hasHugeLength, what: "fails without a close frame after a length of 2^63 or more",
		section: "RFC 6455, 5.2 and 7.1.7", right: "isosocket: a close frame should be sent", wire: "827fffffffffffffffff"},
	{peer: "gws", ours: `close 1014 .*`, theirs: `failed 1002: close frame`, what: "refuses the close code 1014",
		section: "RFC 6455, 7.4.2 and 11.7", right: "isosocket: the code is registered", wire: "880203f6"},
	{peer: "gws", ours: `failed 1002: close code.*`, theirs: `failed 1007: close frame`, what: "answers a wrong close code with a reason that is not UTF-8 with 1007, this library with 1002",
		section: "RFC 6455, 7.4 and 8.1", right: "both", wire: "88030000ff"},
	{peer: "gws", ours: invalidText, theirs: `((ping|pong|close) .*|cut|failed \d+.*)`, what: "checks that text is UTF-8 when the message is whole, this library as it comes",
		section: "RFC 6455, 8.1", right: "both", wire: "0101ff 8900"},
	{peer: "gws", ours: `(failed 1002: (.* frame\b|reserved ).*|failed 1009: message of.*)`, theirs: `(cut|failed 1009: gws: message too large)`, what: "bounds the length before it judges the rest of the header, and waits for the masking key or the payload before it fails",
		section: "RFC 6455, 5.2", right: "both", wire: "8305"},
	{peer: "gws", ours: `failed 1002: reserved bit RSV.*`, theirs: anything, what: "with compression, reads RSV2 and RSV3, and RSV1 on control frames and continuations",
		section: "RFC 6455, 5.2; RFC 7692, 6.1", right: "isosocket", role: inflating, wire: "a280 00000000"},
	{peer: "gws", ours: anything, theirs: `(text|binary|failed 1002|failed 1009|failed 1011).*`, when: hasFinalBlock, what: "ends a compressed message at a final block, and drops what follows it",
		section: "RFC 7692, 7.2.3.4", right: "isosocket: a message may have more blocks", role: inflating, wire: "c28c 00000000 010100feff61 000100feff62"},
	{peer: "gws", ours: `(text|binary) ""`, theirs: `failed 1011: flate: corrupt.*`, when: hasNoBlock, what: "refuses a compressed message without a byte, which this library reads as empty",
		section: "RFC 7692, 7.2.2", right: "open: the bytes are no whole block, but zlib, with which most peers inflate, reads them so", role: inflating, wire: "c280 00000000"},
	{peer: "gws", ours: `failed 1007: compressed message.*`, theirs: `failed 1011: .*`, what: "answers data that cannot be inflated with 1011, this library with 1007",
		section: "RFC 6455, 7.4.1", right: "isosocket: 1011 is for a server's own fault; both fail the connection", role: inflating, wire: "c181 00000000 07"},
	{peer: "gws", ours: `(text|binary|cut|ping|pong|close|failed 1002|failed 1007).*`, theirs: `failed 1009: gws: message too large`, when: isLargeCompressed, what: "bounds the compressed size of a message, too",
		section: "RFC 6455, 10.4", right: "both: a limit is the program's", role: inflating, wire: "41fe0259 00000000"},
	{peer: "gws", ours: `failed 1009: compressed message of more.*`, theirs: `failed 1011: gws: message too large`, what: "answers a message that is too large when inflated with 1011, this library with 1009",
		section: "RFC 6455, 7.4.1", right: "isosocket: 1009 is the code for it", role: inflating, wire: "c18b 00000000 4a4c1c05a360140c770000"},
}

// table returns the list for docs/fuzzing.md.
func table() string {
	var b strings.Builder
	b.WriteString("\n| peer | what it does | section | right |\n| --- | --- | --- | --- |\n")
	for _, d := range disagreements {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", d.peer, d.what, d.section, d.right)
	}
	b.WriteString("\n")
	return b.String()
}
