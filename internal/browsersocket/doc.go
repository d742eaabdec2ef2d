// Package browsersocket is a driver.Transport over a browser's WebSocket (WHATWG
// WebSockets). The browser performs the handshake and the framing; this package
// moves messages, and the end of the connection, between JavaScript and Go. It
// works in pages, workers and Node. Everything but this comment builds only for js.
//
// # What it costs
//
// A call from Go into JavaScript costs a microsecond or two, whatever it
// carries. A callback into Go costs as much as dozens of messages that JavaScript
// handles alone. So many messages cross at a time, and a relay (package relay) does
// all work that JavaScript can do by itself. There is no JavaScript source, and
// no eval that a Content-Security-Policy could forbid. TestSocketCalls counts
// the calls. Receiving a lone message takes the calls that syscall/js makes around any
// callback, and one that copies the message. Sending it takes two.
//
// # Receiving
//
// The relay listens to the message event. It puts messages one after another into a
// Uint8Array, which Go copies as a whole: when the relay wakes it, or when it asks.
// The relay keeps large messages apart, and Go copies each of them straight to its
// destination.
//
// A browser keeps reading even if the program does not receive. The relay counts the
// bytes that arrived, and reports when more than ReceiveBuffer bytes wait, which ends
// the connection.
//
// # Waking
//
// While messages arrive one by one and a Receive waits, each message wakes Go, and
// the wake-up carries it. While messages stream in, the wake-up is queued after the
// tasks that already wait, and finds many messages. The package finds out by trying
// which of the two applies. While no Receive waits, the relay wakes Go once, and then
// not again before Go has asked. A loop of TryReceive that never waits would keep
// JavaScript from running at all, so the package pauses it from time to time.
//
// # Sending
//
// The first messages of a burst go to WebSocket.send at once. Small messages that
// follow without a pause are gathered, and cross together as soon as the sending
// goroutine waits for anything. A send returns bufferedAmount, and whether the
// WebSocket is still open. Otherwise Go asks for the two only while a Send waits for
// space in the buffer or a Flush waits, and in Buffered.
//
// # Messages in pieces
//
// The writer of a message gathers it in JavaScript, data in Blobs and text in strings, and
// hands it over as a whole. A reader copies slices of a message that the relay keeps apart.
//
// # Ending
//
// The close event follows the messages that arrived before it, and Receive
// reports its cause after them. Every path releases every callback; otherwise
// JavaScript would never free the connection.
//
// # A handshake that failed
//
// A browser hides the reason. A fetch of the same address may find it (statusprobe.go),
// unless DisableStatusProbe is set: a server of this library answers the fetch as it
// would have answered the handshake, and marks the answer. A connection that the browser
// itself forbids is recognized by the constructor's exception, by the events of the
// page's Content-Security-Policy, and by the list of blocked ports (forbidden.go).
//
// # JavaScript callbacks
//
// A goroutine that JavaScript waits for must not wait for JavaScript. A method that is
// about to wait calls MayWait first, which looks for a JavaScript callback on the
// goroutine's stack.
package browsersocket
