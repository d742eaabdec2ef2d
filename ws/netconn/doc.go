// Package netconn makes a [net.Conn] of a WebSocket connection, natively and in
// a browser, so that a protocol that was written for TCP can run over it: ssh,
// yamux, gRPC, net/rpc.
//
//	conn, err := isosocket.Dial(ctx, "wss://example.com/ssh", nil)
//	if err != nil {
//		return err
//	}
//	stream := netconn.New(conn, nil)
//	defer stream.Close()
//
// Tests in examples/protocols run these four over a WebSocket.
//
// # Bytes and messages
//
// Write sends binary messages, Read returns the bytes of binary messages. As in
// TCP, the boundaries between messages have no meaning. The peer is
// another net.Conn of this package, or any program that treats messages this way;
// a text message from it closes the connection with 1003 (unsupported data).
//
// # Closing
//
// Close sends all written bytes and closes with 1000 (normal closure). When the
// peer does so, Read returns the remaining bytes and then [io.EOF]. Every other
// end is an error that is a [*errors.ConnectionClosed]: a stream that was cut is
// never mistaken for one that was complete. WebSocket has no half-close, so
// neither side can close only one direction, and Read after Close returns
// [net.ErrClosed], even if bytes had arrived.
//
// # Writing
//
// Write returns once the bytes are queued. While the high-water mark of the
// connection (SendBuffer) is reached it waits, until the write deadline if
// there is one. In a browser, a Write or a Read that would have to wait inside a
// JavaScript callback fails instead of freezing the page.
//
// This is a package of its own because package net is large: a browser client
// that does not import it stays as small as it is.
package netconn
