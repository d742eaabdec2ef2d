//go:build !js

// Package http2 switches on WebSocket over HTTP/2 (RFC 8441) for the servers of a program:
//
//	import _ "github.com/isosocket/isosocket/server/http2"
//
// A browser that has loaded a page over HTTP/2 then opens its WebSockets on the same connection,
// each as a stream, without another TCP and TLS handshake. Handlers made by server.Handler and
// server.Messages serve such connections as those over HTTP/1.1; nothing else changes. Without this
// package, browsers use a connection with HTTP/1.1 for each WebSocket.
//
// # What it changes
//
// The switch is for the whole process. Every http.Server of it that has HTTP/2 announces
// SETTINGS_ENABLE_CONNECT_PROTOCOL, and a browser then uses HTTP/2 for every WebSocket to that
// host: an endpoint that cannot serve it, such as one of another WebSocket library, or of
// server.Accept, is out of reach for the browser. So every WebSocket endpoint behind the same
// address must be made by server.Handler or server.Messages.
//
// Go 1.26 and 1.27 have no other switch than the setting http2xconnect=1 in the environment variable
// GODEBUG, which net/http reads while it is initialised. This package sets it before that, and then
// restores the variable. It is the only package of this module that does work while a program is
// initialised. Running a program with GODEBUG=http2xconnect=1 has the same effect without this package;
// a directive //go:debug in the source has none.
//
// # Before you use it
//
// A server has 250 streams for each connection unless http.HTTP2Config.MaxConcurrentStreams says
// otherwise, and each WebSocket takes one of them. All WebSockets of a connection share its TCP
// connection: one lost packet delays them all, and the memory for received data,
// http.HTTP2Config.MaxReceiveBufferPerConnection, must be larger than that of one stream, or a
// WebSocket whose program does not receive stops the others. The documentation has a page on
// WebSocket over HTTP/2 with settings, costs and figures.
package http2
