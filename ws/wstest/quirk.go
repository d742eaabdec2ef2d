package wstest

import (
	"fmt"
	"slices"
	"strings"
)

// Quirk is a behaviour of some engines that differs from the WHATWG specification and from the
// other engines.
type Quirk struct {
	// ID is the name by which the parity table refers to it.
	ID string
	// Engines are those that have it, as [Target].Engine names them.
	Engines []string
	// Subject says what differs, and Behaviour what these engines do.
	Subject, Behaviour string
	// Cause says whether that is a bug or allowed, and Link points to the source.
	Cause, Link string
	// Library says what this library does about it.
	Library string
	// Values are the values that cases observe in these engines instead of the
	// browser's.
	Values []QuirkValue
}

// QuirkValue is the value that a case observes because of a [Quirk].
type QuirkValue struct {
	// Case is the id of the case, and Key that of its expectation.
	Case, Key string
	// Value is the observed value. "" means that the value is unpredictable: any
	// value is right.
	Value string
}

// Quirks returns the differences between engines, in order. Each is shown by
// at least one case. The caller owns the slice.
func Quirks() []Quirk {
	return []Quirk{
		{
			ID:        "E1",
			Engines:   []string{"node"},
			Subject:   "A byte order mark at the start of a text message",
			Behaviour: "is not part of the message that arrives",
			Cause:     "a bug: RFC 6455, section 5.6, has no byte order mark; the decoder of undici drops it",
			Link:      "https://github.com/nodejs/undici/blob/main/lib/web/websocket/util.js",
			Library:   "nothing: it receives the text without the mark; a binary message keeps it",
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
			Library:   "checks the subprotocol, which Deno does not check either; the library cannot see the others",
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
			Library:   "nothing: it receives them as valid messages",
			Values: []QuirkValue{
				{"D01", "a rune cut by the end of the message", `another error: received text "caf", which is not ErrWebSocket`},
				{"D01", "a masked frame", `another error: received text "y", which is not ErrWebSocket`},
			},
		},
		{
			ID:        "E5",
			Engines:   []string{"webkit"},
			Subject:   "The close reasons 1012, 1013 and 1014 of the peer",
			Behaviour: "are `ConnectionClosed` with 1006, local",
			Cause:     "a bug: IANA has registered them, and libsoup treats them as a protocol error",
			Link:      "https://github.com/GNOME/libsoup/blob/master/libsoup/websocket/soup-websocket-connection.c",
			Library:   "nothing: it gets 1006; a `Client` reconnects after all of them",
			Values: []QuirkValue{
				{"P05", "1012", `CC(1006, "", local)`},
				{"P05", "1012 without a message", `CC(1006, "", local)`},
				{"P05", "1013", `CC(1006, "", local)`},
				{"P05", "1013 without a message", `CC(1006, "", local)`},
				{"P05", "1014", `CC(1006, "", local)`},
				{"P05", "1014 without a message", `CC(1006, "", local)`},
			},
		},
		{
			ID:        "E6",
			Engines:   []string{"webkit"},
			Subject:   "A close frame of the peer without a reason",
			Behaviour: "is answered with 1000",
			Cause:     "allowed: RFC 6455, section 5.5.1, says what an answer typically is",
			Link:      "https://github.com/GNOME/libsoup/blob/master/libsoup/websocket/soup-websocket-connection.c",
			Library:   "nothing: the program gets 1005, as everywhere",
			Values: []QuirkValue{
				{"P06", "the peer saw", `close 1000 ""`},
			},
		},
		{
			ID:        "E7",
			Engines:   []string{"webkit"},
			Subject:   "A close message with a NUL",
			Behaviour: "reaches the peer without the NUL and what follows it",
			Cause:     "a bug: WebKitGTK passes it on as a C string",
			Link:      "https://github.com/WebKit/WebKit/blob/main/Source/WebKit/NetworkProcess/soup/WebSocketTaskSoup.cpp",
			Library:   "nothing",
			Values: []QuirkValue{
				{"P11", "NUL and quotes", `nil; the peer saw close 4000 "a"`},
			},
		},
		{
			ID:        "E8",
			Engines:   []string{"webkit"},
			Subject:   "Sending more than the peer reads",
			Behaviour: "`bufferedAmount` stays near 0. `Send` does not wait, `TrySend` does not refuse, and the browser keeps every message in memory, which may break the connection",
			Cause:     "a bug: WHATWG WebSockets, section 3.1, counts what has not been transmitted to the network; WebKitGTK stops counting when libsoup has the message",
			Link:      "https://github.com/WebKit/WebKit/blob/main/Source/WebKit/NetworkProcess/soup/WebSocketTaskSoup.cpp",
			Library:   "nothing: no other value shows how much is unsent; in a program that sends a lot, the peer should acknowledge messages",
			Values: []QuirkValue{
				{"P20", "SendBuffer 128 KiB: Send in the end", ""},
				{"P20", "SendBuffer 128 KiB: Buffered is at least the mark", ""},
				{"P20", "SendBuffer 128 KiB: Send with an ended ctx", ""},
				{"P20", "SendBuffer 128 KiB: Err", ""},
				{"P20", "SendBuffer 128 KiB: the peer reads: Send, Flush", ""},
				{"P20", "SendBuffer 128 KiB: Buffered", ""},
				{"P20", "SendBuffer 128 KiB: the peer received", ""},
				{"P20", "SendBuffer not set: Send in the end", ""},
				{"P20", "SendBuffer not set: Buffered is at least the mark", ""},
				{"P20", "SendBuffer not set: Send with an ended ctx", ""},
				{"P20", "SendBuffer not set: Err", ""},
				{"P20", "SendBuffer not set: the peer reads: Send, Flush", ""},
				{"P20", "SendBuffer not set: Buffered", ""},
				{"P20", "SendBuffer not set: the peer received", ""},
				{"P20", "Flush with an ended ctx while the peer does not read", ""},
				{"P39", "the peer reads 2 MB/s", ""},
				{"P39", "the peer reads nothing", ""},
				{"P42", "while the peer does not read, in the end", ""},
				{"P42", "Buffered is at most the mark and one message", ""},
				{"P42", "Err", ""},
				{"P42", "the peer reads: Send, Flush", ""},
				{"P42", "the peer received", ""},
				{"P42", "TrySend again", ""},
				{"P42", "text that is not UTF-8", ""},
				{"P42", "over MaxMessageSize", ""},
				{"P42", "after the end", ""},
				{"P43", "buffer full, cancelled", ""},
				{"P43", "buffer full, deadline exceeded", ""},
				{"P43", "Err", ""},
				{"P43", "the peer reads: Send, Flush", ""},
				{"P43", "the peer received", ""},
				{"P43", "invalid message as well: its error", ""},
				{"P43", "after the end", ""},
			},
		},
		{
			ID:        "E9",
			Engines:   []string{"webkit"},
			Subject:   "A redirect in the handshake",
			Behaviour: "is followed",
			Cause:     `a bug: WHATWG WebSockets, section 2, makes the request with redirect mode "error"`,
			Link:      "https://github.com/WebKit/WebKit/blob/main/Source/WebKit/NetworkProcess/soup/WebSocketTaskSoup.cpp",
			Library:   "nothing: a page cannot detect it; a server that must identify its clients checks `Origin` and a token",
			Values: []QuirkValue{
				{"P27", "301", ""},
				{"P27", "302", ""},
				{"P27", "303", ""},
				{"P27", "307", ""},
				{"P27", "308", ""},
				{"P27", "to another host", ""},
			},
		},
		{
			ID:        "E10",
			Engines:   []string{"webkit"},
			Subject:   "A certificate that is not trusted",
			Behaviour: "is trusted in these tests",
			Cause:     "of the tests: WebKitWebDriver trusts every certificate or none",
			Link:      "https://www.w3.org/TR/webdriver2/#dfn-accept-insecure-tls",
			Library:   "nothing: outside of tests, WebKit refuses it",
			Values: []QuirkValue{
				{"P25", "a certificate that is not trusted", "nil"},
				{"P25", "each names the URL, without its query", "no"},
			},
		},
		{
			ID:        "E11",
			Engines:   []string{"webkit"},
			Subject:   "A close frame that the peer does not answer for 5 seconds",
			Behaviour: "may end the connection a moment earlier",
			Cause:     "allowed: libsoup ends the connection 5 seconds after its close frame, by its own clock",
			Link:      "https://github.com/GNOME/libsoup/blob/master/libsoup/websocket/soup-websocket-connection.c",
			Library:   "nothing: the close reason is the same",
			Values:    []QuirkValue{{"P13", "it waited for 5 s", ""}},
		},
		{
			ID:        "E12",
			Engines:   []string{"deno"},
			Subject:   "Compression",
			Behaviour: "is never offered, so that `Conn.Extensions` is empty",
			Cause:     "allowed: RFC 7692 is an extension; fastwebsockets does not implement it",
			Link:      "https://github.com/denoland/fastwebsockets",
			Library:   "nothing: messages are sent without compression",
			Values:    []QuirkValue{{"P46", "Extensions", "none"}},
		},
		{
			ID:        "E13",
			Engines:   []string{"firefox"},
			Subject:   "A connection that breaks right behind the handshake, without a close frame",
			Behaviour: "may never open: `Dial` fails, and messages that arrived are lost",
			Cause:     "a bug: WHATWG WebSockets, section 2, fires open before the messages and the close; Firefox fires only close if the connection ends first",
			Link:      "https://github.com/mozilla-firefox/firefox/blob/main/dom/websocket/WebSocket.cpp",
			Library:   "nothing: a close event alone does not show that the handshake succeeded; a server that sends a close frame is not affected",
			Values:    []QuirkValue{{"P07", "FIN right behind the handshake", ""}},
		},
		{
			ID:        "E14",
			Engines:   []string{"firefox"},
			Subject:   "A handshake answer with a subprotocol, though none was requested",
			Behaviour: "opens a connection, whose `Subprotocol` is empty",
			Cause:     "a bug: RFC 6455, section 4.1, tells a client to check it; Firefox checks only if it requested some",
			Link:      "https://github.com/mozilla-firefox/firefox/blob/main/netwerk/protocol/websocket/WebSocketChannel.cpp",
			Library:   "nothing: a page cannot see the answer; if some were requested, the library checks the chosen one",
			Values:    []QuirkValue{{"P28", "a subprotocol though none was requested", "nil"}},
		},
		{
			ID:        "E15",
			Engines:   []string{"firefox"},
			Subject:   "A masked frame of the server, and a close frame with a payload of one byte",
			Behaviour: "is a message, and is `ConnectionClosed` with 1005, remote",
			Cause:     "a bug: RFC 6455, sections 5.1 and 5.5.1; Firefox does not check these",
			Link:      "https://github.com/mozilla-firefox/firefox/blob/main/netwerk/protocol/websocket/WebSocketChannel.cpp",
			Library:   "nothing: it receives the message, and a close frame without a reason",
			Values: []QuirkValue{
				{"D01", "a masked frame", `another error: received text "x", which is not ErrWebSocket`},
				{"D01", "a close payload of one byte", "CC(1005, …, remote)"},
			},
		},
		{
			ID:        "E16",
			Engines:   []string{"firefox"},
			Subject:   "The TCP connection of a `Dial` that ends during the handshake, because its context does",
			Behaviour: "stays open until the server answers or ends it; after about a dozen, Firefox opens no more to this host",
			Cause:     "a bug: WHATWG WebSockets, section 3.1, makes close() fail the connection; Firefox keeps the request until it is answered",
			Link:      "https://github.com/mozilla-firefox/firefox/blob/main/netwerk/protocol/websocket/WebSocketChannel.cpp",
			Library:   "nothing: `Dial` returns at once, as everywhere; a server should bound how long a handshake may take",
			Values: []QuirkValue{
				{"P35", "the server saw the socket close", "no"},
				{"P35", "20 in a row", "ConnectionError{0} that is context.Canceled, no"},
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

// value returns the value that q expects in place of an expectation's.
func (q Quirk) value(id, key string) string {
	i := slices.IndexFunc(q.Values, func(v QuirkValue) bool { return v.Case == id && v.Key == key })
	return q.Values[i].Value
}
