package wstest

import (
	"fmt"
	"slices"
	"strings"
)

// Quirk is a way in which some engines behave differently from a browser as
// the WHATWG specification describes it, and from the other engines.
type Quirk struct {
	// ID is the name by which the parity table refers to it.
	ID string
	// Engines are those that have it, as [Target].Engine names them.
	Engines []string
	// Subject says what differs, and Behaviour what these engines do.
	Subject, Behaviour string
	// Cause says whether that is a bug or allowed, and Link where to read more.
	Cause, Link string
	// Library says what this library does about it.
	Library string
	// Values are what cases observe in these engines in place of the browser's
	// value.
	Values []QuirkValue
}

// QuirkValue is what a case observes because of a [Quirk].
type QuirkValue struct {
	// Case is the id of the case, and Key that of its expectation.
	Case, Key string
	// Value is what is observed. An empty one means that nothing can be said of
	// it: any value is right.
	Value string
}

// Quirks returns what differs from engine to engine, in order. Each is shown by
// at least one case. The caller owns the slice.
func Quirks() []Quirk {
	return []Quirk{
		{
			ID:        "E1",
			Engines:   []string{"node"},
			Subject:   "A byte order mark in front of a text message",
			Behaviour: "is not part of the message that arrives",
			Cause:     "a bug: RFC 6455, section 5.6, has no byte order mark; the decoder of undici drops it",
			Link:      "https://github.com/nodejs/undici/blob/main/lib/web/websocket/util.js",
			Library:   "nothing: it gets the text without the mark; a binary message keeps it",
			Values: []QuirkValue{
				{"P02", "a BOM in front", `text "byte order mark"`},
				{"P02", "a BOM in front, ReceiveInto", `text "byte order mark"`},
			},
		},
		{
			ID:        "E2",
			Engines:   []string{"deno"},
			Subject:   "The close reason 1014 of the peer",
			Behaviour: "is `ConnectionClosed` with 1006, local",
			Cause:     "a bug: IANA has registered 1014, and fastwebsockets does not know it",
			Link:      "https://github.com/denoland/fastwebsockets/blob/main/src/close.rs",
			Library:   "nothing: it gets 1006; a `Client` reconnects after both",
			Values: []QuirkValue{
				{"P05", "1014", `CC(1006, "", local)`},
				{"P05", "1014 without a message", `CC(1006, "", local)`},
			},
		},
		{
			ID:        "E3",
			Engines:   []string{"deno"},
			Subject:   "A handshake answer with a wrong `Sec-WebSocket-Accept`, or an extension that was not offered",
			Behaviour: "opens a connection",
			Cause:     "a bug: RFC 6455, section 4.1, tells a client to check both; fastwebsockets does not",
			Link:      "https://github.com/denoland/fastwebsockets/blob/main/src/handshake.rs",
			Library:   "checks the subprotocol, which Deno does not check either; the rest it cannot see",
			Values: []QuirkValue{
				{"P28", "wrong Sec-WebSocket-Accept", "nil"},
				{"P28", "an extension that was not offered", "nil"},
			},
		},
		{
			ID:        "E4",
			Engines:   []string{"deno"},
			Subject:   "A masked frame of the server, and a fragmented text that ends within a rune",
			Behaviour: "arrive as messages, the text without the part of a rune",
			Cause:     "a bug: RFC 6455, sections 5.1 and 8.1, tell a client to fail the connection; fastwebsockets does not",
			Link:      "https://github.com/denoland/fastwebsockets/blob/main/src/fragment.rs",
			Library:   "nothing: it gets the messages as if they were right",
			Values: []QuirkValue{
				{"D01", "a rune cut by the end of the message", `another error: received text "caf", which is not ErrWebSocket`},
				{"D01", "a masked frame", `another error: received text "y", which is not ErrWebSocket`},
			},
		},
	}
}

// QuirksTable returns Quirks as a Markdown table, with the cases that show each.
func QuirksTable() string {
	var b strings.Builder
	b.WriteString("| id | engine | what | what it does | why | what the library does | shown by |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, q := range Quirks() {
		var cases []string
		for _, v := range q.Values {
			if !slices.Contains(cases, v.Case) {
				cases = append(cases, v.Case)
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s ([source](%s)) | %s | %s |\n", q.ID, strings.Join(q.Engines, ", "), q.Subject, q.Behaviour,
			q.Cause, q.Link, q.Library, strings.Join(cases, ", "))
	}
	return b.String()
}

// quirkOf returns the quirk that decides what a case observes in an engine.
func quirkOf(engine, id, key string) (Quirk, bool) {
	for _, q := range Quirks() {
		if slices.Contains(q.Engines, engine) && slices.ContainsFunc(q.Values, func(v QuirkValue) bool { return v.Case == id && v.Key == key }) {
			return q, true
		}
	}
	return Quirk{}, false
}

// value returns what q makes of an expectation.
func (q Quirk) value(id, key string) string {
	i := slices.IndexFunc(q.Values, func(v QuirkValue) bool { return v.Case == id && v.Key == key })
	return q.Values[i].Value
}
