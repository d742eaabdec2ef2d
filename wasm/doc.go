// Command wasm is the example client: one program for a chat, which runs in the
// browser page of "isosocket serve" and in a terminal, from the same source.
//
//	go run ./wasm [-name NAME] ws://127.0.0.1:8080/ws
//
// The connection (link.go), the state (state.go) and the client (client.go) are the same on both
// targets. Only the view differs: page_js.go draws in the page, terminal_native.go writes lines.
//
// Lines that begin with a slash are commands; /help lists them. The page has buttons
// for them, and understands the lines, too.
//
// # The page's ids
//
// Tests, and other programs that drive the page, may rely on these ids of its elements:
//
//	status            data-phase: loading, connecting, open, closing, waiting, closed, lost,
//	                  failed, unavailable
//	status-headline   the same in words; status-reason: the code
//	notice            why the client cannot run
//	banner            while there is no connection: banner-headline, banner-reason,
//	                  banner-detail, banner-countdown
//	reconnect         connects again, or at once while waiting
//	log               an li.message[data-from] with a .text for each text (.own for this page's),
//	                  an li.event for each event (.problem for an error)
//	say, send         the message box and its button; the form is say-form
//	name, rename      the name and its button; the form is name-form
//	people            an li[data-name] for each person; people-count: their number
//	rtt-last          with rtt-least, rtt-median, rtt-most, and rtt-spark with its paths rtt-line
//	                  and rtt-area
//	close             with close-reason, close-message, close-by-page, close-by-server; the form
//	                  is close-form
//	drop              asks the server to cut the connection
//
// The page's parameter name is the name to join with.
//
// # Exit status, in a terminal
//
//	0  the last connection ended with 1000, 1001 or without a reason (1005)
//	1  bad usage, or the first connection could not be opened
//	2  the last connection was lost without a close frame (1006)
//	3  the last connection was closed for any other reason
//
// The end of standard input, like /quit, closes with 1000 (normal closure) when
// the server has received all lines. SIGINT (Ctrl-C) and SIGTERM close with 1001 (going away).
package main
