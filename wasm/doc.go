// Command wasm is the example client: one program for a chat, which runs in the
// browser page of "isosocket serve" and in a terminal, from the same source.
//
//	go run ./wasm [-name NAME] ws://127.0.0.1:8080/ws
//
// The connection (link.go), what the client knows (state.go) and what it does
// (client.go) are the same on both targets. Only what shows it differs: page_js.go
// draws in the page, terminal_native.go writes lines.
//
// Lines that begin with a slash are commands; /help lists them. The page has buttons
// for them, and understands the lines, too.
//
// # Exit status, in a terminal
//
//	0  the last connection ended with 1000, 1001 or without a reason (1005)
//	1  bad usage, or the first connection could not be opened
//	2  the last connection was lost without a close frame (1006)
//	3  the last connection was closed for any other reason
//
// The end of standard input, like /quit, closes with 1000 (normal closure) when
// all that was typed has been said. SIGINT (Ctrl-C) and SIGTERM close with 1001 (going away).
package main
