// Package ws holds what a WebSocket connection is, whatever carries it: the
// [Message], the [Conn] that sends, receives and closes, the [Heartbeat] that finds a
// dead link, and an in-memory [Pipe] to test with.
//
// Programs get a Conn from Dial of the root package or from the server
// package, and use it like this:
//
//	err := conn.Send(ctx, ws.Text("hello"))
//	message, err := conn.Receive(ctx)
//	err = conn.Close(errors.NormalClosure, "bye")
//
// # Waiting
//
// A context bounds the wait, never the connection. When ctx ends in a
// [Conn.Receive], the call returns an error that is ctx.Err(), and the next
// Receive goes on where the bytes stood, even in the middle of a frame: no
// message is lost, none comes twice. When ctx ends in a [Conn.Send] that waits
// for room, nothing of that message goes out.
//
// Send queues and returns, as in a browser. It waits only while
// Config.SendBuffer bytes or more are queued already: the high-water mark.
// [Conn.Flush] waits until all that was sent has left the process.
//
// # Ending
//
// Every message that arrived before the end is delivered before the end. Then
// one [errors.ConnectionClosed], the first cause, comes back from every later
// Receive and Send; [Conn.Done] and [Conn.Err] tell it without a call. Only
// the local [Conn.Close] drops what was not received yet.
//
// # Liveness
//
// A link that is gone without a word, because a router forgot it or a machine
// sleeps, looks like a peer that says nothing. A [Heartbeat] in the Config
// finds it, on every target: a message that the peer answers, sent when nothing else comes.
// Its answers stay out of sight; they measure [Conn.Latency], and
// [Conn.Confirm] waits for one to know that all that was sent has arrived.
//
// # Writing a transport
//
// [NewConn] makes a Conn over a [driver.Transport]. Package driver, below this one, has
// what authors of transports need, and package ws/wstest the cases that a transport
// must pass.
package ws
