//go:build !js

// Package handshake implements the opening handshake of native clients and the parts
// that clients and servers share: the client's side of RFC 6455, section 4.1, over
// net/http, the rules for header fields and tokens, and the translation of a
// ws.Compression into the negotiation of permessage-deflate.
//
// # Division of work
//
// coder/websocket performs the handshake; this library implements the connection.
// [Dial] therefore puts an [http.RoundTripper] between coder/websocket and the
// real one. It keeps the byte stream and gives coder/websocket an [Inert] stream,
// whose Conn it closes at once. [Dial] itself negotiates what coder/websocket cannot
// express: window sizes of permessage-deflate, and subprotocols that are compared
// case-sensitively and must be chosen.
//
// # The byte stream
//
// The response body of net/http may hold bytes that it has read ahead. [Dial] takes
// them out, so that the caller gets the net.Conn itself, which allows deadlines and
// non-blocking I/O, unlike a body.
package handshake
