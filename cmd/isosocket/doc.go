//go:build !js

// Command isosocket serves the demo and talks to any WebSocket server.
//
//	isosocket serve [-addr HOST:PORT] [-compress] [-max-message SIZE] [-origin PATTERN]
//	isosocket dial [flags] URL
//
// # serve
//
// Serves the page of the demo at /, its chat at /ws, an endpoint that sends
// every message back at /echo, and /healthz. The wasm client and the page are
// part of the binary when it was built by "make build"; without them the
// server still works, and the page says how to get them.
//
// SIGINT (Ctrl-C) and SIGTERM close every connection with 1001 (going away) and
// end the process with status 0, within ten seconds. A second one ends it at once.
//
// # dial
//
// Connects to a ws, wss, http or https URL. Each line of standard input is
// sent as one message, each message that comes is printed to standard output
// as one line; events of the connection are reported on standard error.
// Binary messages that come are printed in hexadecimal, after the word
// "binary" and their size.
//
// At the end of standard input it keeps printing until nothing has come for
// -linger, and then closes with 1000 (normal closure). SIGINT and SIGTERM close
// with 1001 (going away). In both cases it first sends the lines typed before.
//
// # Exit status
//
//	0  the work is done: a signal stopped serve, or the connection ended with
//	   1000, 1001 or without a reason (1005)
//	1  bad usage, or nothing could be served or connected
//	2  the connection was lost without a close frame (1006), or the peer did not
//	   answer this side's close
//	3  the connection was closed for any other reason
package main
