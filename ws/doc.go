// Package ws has the WebSocket connection of clients and servers, for every transport:
// the [Message], the [Conn] that sends, receives and closes, the [Heartbeat] that
// detects a dead link, and an in-memory [Pipe] for tests.
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
// A context limits a wait, never the life of the connection. If ctx ends during a
// [Conn.Receive], the call returns an error that is ctx.Err(), and the next Receive
// continues at the same byte, even in the middle of a frame: no message is lost or
// received twice. If ctx ends during a [Conn.Send] that waits for space, no part of
// that message is sent.
//
// Send queues and returns, as in a browser. It waits only while
// Config.SendBuffer bytes or more are queued already: the high-water mark.
// [Conn.Flush] waits until all sent messages have left the process.
//
// # Ending
//
// Every message that arrived before the end is delivered before the end. After that
// every Receive and Send returns the same [errors.ConnectionClosed], the first cause.
// [Conn.Done] and [Conn.Err] report it, too. Only the local [Conn.Close] and
// [Conn.CloseNow] drop messages that were not received yet.
//
// # Liveness
//
// A link that died without a close, because a router forgot it or a machine sleeps,
// looks like a peer that sends nothing. A [Heartbeat] in the Config detects it, on
// every target: a message that is sent at intervals and that the peer answers.
// Receive does not return the answers. They measure [Conn.Latency], and
// [Conn.Confirm] waits for an answer to know that all sent messages have arrived.
//
// # Writing a transport
//
// [NewConn] makes a Conn over a [driver.Transport]. Package driver has the interfaces
// and types for authors of transports. Package ws/wstest has the cases that a transport
// must pass.
package ws
