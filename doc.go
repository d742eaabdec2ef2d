// Package isosocket opens WebSocket connections, with the same code and the
// same behaviour in a browser and in a native program: compiled to WebAssembly
// it uses the browser's WebSocket, natively an engine of its own. Servers
// are written with package [github.com/isosocket/isosocket/server].
//
// # A connection
//
// [Dial] opens one. It is a [ws.Conn], which sends and receives whole messages
// and is closed with a reason:
//
//	conn, err := isosocket.Dial(ctx, "wss://example.com/chat", nil)
//	if err != nil {
//		return err
//	}
//	defer conn.Close(errors.NormalClosure, "")
//	if err := conn.Send(ctx, ws.Text("hello")); err != nil {
//		return err
//	}
//	for m, err := range conn.Messages(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(m)
//	}
//
// Send may be called by many goroutines and beside a Receive. It queues and
// returns, and waits only while DialOptions.SendBuffer bytes are queued.
// Nothing has to run in the background: a connection without a Receive
// answers pings and notices its end all the same.
//
// # Contexts
//
// A context bounds the wait of the call it is given to, never the connection.
// When it ends in the middle of a Receive, the next Receive goes on where the
// bytes stood; no message is lost. So this asks for a message, but not for
// longer than a second, as often as one likes:
//
//	ctx, cancel := context.WithTimeout(ctx, time.Second)
//	m, err := conn.Receive(ctx)
//	cancel()
//	if errors.Is(err, context.DeadlineExceeded) {
//		// nothing came; conn is as it was
//	}
//
// # Errors
//
// A connection that could not be opened is a [*errors.ConnectionError]. Its
// StatusCode is the HTTP status with which the server refused, on every
// target. In a browser it is a guess (StatusGuessed) if the server is not one of
// this library:
//
//	if failed, ok := errors.AsType[*errors.ConnectionError](err); ok && failed.StatusCode == 401 {
//		return signIn()
//	}
//
// A connection that has ended is a [*errors.ConnectionClosed], from every call:
// the first cause, with the reason, the message that came with it, and who
// closed. A reason is itself a target of errors.Is:
//
//	if errors.Is(err, errors.GoingAway) {
//		// the server restarts
//	}
//
// Messages that arrived before the end are received before the error.
//
// # Options
//
// [DialOptions] hold subprotocols, limits, timeouts and compression; nil means
// every default. A browser offers less to its pages than the system does to a
// program: where an option cannot be honoured, Dial fails with an error that is
// [errors.ErrUnsupported] and names it, rather than ignore it. TLS settings,
// proxies, cookies and Unix sockets need types that a browser build does not
// carry; they are fields of [NativeOptions], whose browser version has none, so
// that using one there does not compile.
//
// # Staying connected
//
// [Connections] is an iterator over live connections, which dials again, with
// a growing, random wait, when the last one is gone, and ends when trying again
// makes no sense. [Client] is one handle on top of it, which sends and receives
// across reconnects. A [ws.Heartbeat] finds a link that is dead without
// a close frame.
//
// # What stays different in a browser
//
// A browser cannot send headers or pings; it reports every violation of the
// protocol as 1006; it knows a message only once it is whole, so that
// MaxMessageSize acts late; and it cannot slow a sender down, so that messages
// that are not received end the connection when ReceiveBuffer is full. The close
// reasons 1001 to 1014, which it does not let a page send, travel as 3901 to
// 3914, and servers of this library read them back.
package isosocket
