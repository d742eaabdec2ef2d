// Package browsersocket is a ws.Transport over a browser's WebSocket (WHATWG
// WebSockets): the browser performs the handshake and speaks the frames; what
// is here is how messages, and the end, cross between its JavaScript and Go. It
// serves pages, workers and Node. But for this text it is compiled for js only.
//
// # What it costs
//
// A call from Go into JavaScript costs a microsecond or two whatever it
// carries, and a callback into Go as much as dozens of messages that JavaScript
// handles alone. So messages cross many at a time, and whatever JavaScript can
// do by itself it does, in functions that are put together from built-in ones
// (type expression): there is no line of JavaScript, and no eval that a
// Content-Security-Policy could forbid. TestSocketCalls counts the calls.
//
// # Receiving
//
// The message listener is the push of a JavaScript array, so that the browser
// queues messages without Go. Receive takes up to 512 of them with two calls:
// all texts, and the sizes of binary messages, as one piece of JSON (package
// jsontext). Small binary messages that follow each other are fetched together,
// large ones straight to where they are wanted. Where messages are so large that
// a batch would be of one, JSON is left out.
//
// A browser reads on even if nobody receives. A timer looks at what waits, four
// times a second while anything does, and ends the connection above
// ReceiveBuffer.
//
// # Waking
//
// Go is woken once, for the first message behind what was taken. While messages
// come one by one the wake-up is prompt. While they stream in it lines up
// behind the tasks that already wait, and finds many; which of the two it is is
// found by trying. A loop of TryReceive that never waits would keep JavaScript
// from running at all, and is given a pause every so often.
//
// # Sending
//
// The first messages of a burst are handed to WebSocket.send at once. Small
// ones that follow without a pause are gathered in a parcel, which crosses as
// soon as the sending goroutine waits for anything. bufferedAmount is asked
// only while somebody waits for room or for Flush, and by Buffered.
//
// # Ending
//
// The close event stands behind the messages that came before it, and so does
// its cause in Receive. Every callback is released on every path, or JavaScript
// would keep the connection alive forever. Why a handshake failed a browser
// does not tell: a fetch of the same address may, and is asked unless
// DisableStatusProbe is set.
package browsersocket
