// Package browsersocket is a driver.Transport over a browser's WebSocket (WHATWG
// WebSockets): the browser performs the handshake and speaks the frames; what
// is here is how messages, and the end, cross between its JavaScript and Go. It
// serves pages, workers and Node. But for this text it is compiled for js only.
//
// # What it costs
//
// A call from Go into JavaScript costs a microsecond or two whatever it
// carries, and a callback into Go as much as dozens of messages that JavaScript
// handles alone. So messages cross many at a time, and whatever JavaScript can
// do by itself a relay does (package relay): there is no line of JavaScript, and
// no eval that a Content-Security-Policy could forbid. TestSocketCalls counts
// the calls. A lone message is received with those that syscall/js makes around any
// callback, and one that copies it; it is sent with two.
//
// # Receiving
//
// The message listener is the relay's. It puts messages behind each other into a
// Uint8Array, which Go copies as a whole: when it is woken, or when it asks.
// Large messages it keeps apart, and they are copied straight to where they are
// wanted.
//
// A browser reads on even if nobody receives. The relay counts what came, and
// tells when more than ReceiveBuffer may wait, which ends the connection.
//
// # Waking
//
// While messages come one by one and somebody receives, each one wakes Go, and
// comes with the wake-up. While they stream in, the wake-up lines up behind the tasks that
// already wait, and finds many; which of the two it is is found by trying. While
// nobody receives, Go is woken once, and then not before it has asked. A loop of TryReceive that
// never waits would keep JavaScript from running at all, and is given a pause
// every so often.
//
// # Sending
//
// The first messages of a burst are handed to WebSocket.send at once. Small
// ones that follow without a pause are gathered, and cross together as soon as
// the sending goroutine waits for anything. A send brings back bufferedAmount,
// and whether the WebSocket is open still; both are asked for besides only while
// somebody waits for room or for Flush, and by Buffered.
//
// # Ending
//
// The close event stands behind the messages that came before it, and so does
// its cause in Receive. Every callback is released on every path, or JavaScript
// would keep the connection alive forever.
//
// # A handshake that failed
//
// A browser hides why. A fetch of the same address may find out (statusprobe.go),
// unless DisableStatusProbe is set: a server of this library answers it as it
// would have answered the handshake, and marks the answer. What the browser itself
// forbids is found by what the constructor throws, by the events of the page's
// Content-Security-Policy, and by the list of blocked ports (forbidden.go).
//
// # JavaScript callbacks
//
// A goroutine that JavaScript waits for must not wait for JavaScript. What is about
// to wait asks MayWait first, which looks for such a goroutine's mark on its stack.
package browsersocket
