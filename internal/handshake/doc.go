//go:build !js

// Package handshake is what the opening handshakes of clients and servers have
// in common natively: the client's side of RFC 6455, section 4.1, over
// net/http, the rules for header fields and tokens, and what a ws.Compression
// means for the negotiation of permessage-deflate.
//
// # Who does what
//
// coder/websocket performs the handshake; the connection is this library's.
// [Dial] therefore puts an [http.RoundTripper] between coder/websocket and the
// real one, which keeps the byte stream and lets coder/websocket have an
// [Inert] one, whose Conn is closed at once. What coder/websocket cannot
// express is negotiated around it: window sizes of permessage-deflate,
// subprotocols that must match in case and must be chosen.
//
// # The byte stream
//
// net/http hands over a response body that may still hold bytes it has read
// ahead. [Dial] takes them out, so that the caller gets the net.Conn itself
// and can do with it what a body does not allow: deadlines and non-blocking I/O.
package handshake
