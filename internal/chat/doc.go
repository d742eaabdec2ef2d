// Package chat is the chat of the demo: the messages that its client and its
// server exchange, the rules for names and texts, and the lines a person types.
//
// # Two formats
//
// A client that negotiated [Subprotocol] exchanges JSON, one [Message] per
// text message. It sends its name first, and receives the list of people:
//
//	client  {"type":"join","name":"ada","platform":"js/wasm"}
//	server  {"type":"welcome","id":7,"name":"ada","people":[…],"history":[…]}
//	client  {"type":"say","text":"hello"}
//	server  {"type":"said","id":7,"name":"ada","text":"hello","time":1767225600000}
//	client  {"type":"ping","seq":1}
//	server  {"type":"pong","seq":1}
//
// A client without the subprotocol exchanges plain lines, so that any
// WebSocket tool can take part: each text message is what a person typed (see
// [ParseLine]), and [Message.Line] is what that person reads.
//
// # Errors
//
// A mistake of a program is a [Violation]: it carries the reason to close the
// connection with. A mistake of a person (an empty name, a text that is too
// long) is an ordinary error, which that person gets to read; the connection
// stays open.
package chat
