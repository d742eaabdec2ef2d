// Package isosocket opens WebSocket connections, with the same code and the
// same behaviour in a browser and in a native program: compiled to WebAssembly
// it uses the browser's WebSocket, and natively its own engine. Servers use
// package [github.com/isosocket/isosocket/server].
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
// Send may be called by many goroutines, also during a Receive. It queues the
// message and returns, and waits only while DialOptions.SendBuffer bytes are queued.
// A program does not need a background goroutine that receives: the connection
// answers pings and notices its end without one.
//
// # Contexts
//
// A context limits the wait of the call that it is passed to, never the life of the
// connection. If it ends during a Receive, the next Receive continues at the same
// byte, and no message is lost. So this code, which waits at most one second for a
// message, may be repeated any number of times:
//
//	ctx, cancel := context.WithTimeout(ctx, time.Second)
//	m, err := conn.Receive(ctx)
//	cancel()
//	if errors.Is(err, context.DeadlineExceeded) {
//		// no message arrived; conn is unchanged
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
// After a connection has ended, every call returns a [*errors.ConnectionClosed]: the
// first cause, with the reason, its message, and which side closed. A reason is
// itself a target of errors.Is:
//
//	if errors.Is(err, errors.GoingAway) {
//		// the server restarts
//	}
//
// Messages that arrived before the end are received before the error.
//
// # Options
//
// [DialOptions] hold subprotocols, limits, timeouts and compression; nil selects the
// defaults. A browser offers less to a page than an operating system to a program: if
// an option cannot be honoured, Dial does not ignore it, but fails with an error that
// is [errors.ErrUnsupported] and names the option. TLS settings, proxies, cookies and
// Unix sockets need types that a browser build does not contain. They are fields of
// [NativeOptions], which has no fields in a browser build, so that using one there
// does not compile.
//
// # Staying connected
//
// [Connections] is an iterator over live connections. It dials again, after a
// growing, random wait, when the last connection has ended, and it ends when trying
// again makes no sense. [Client] is one handle on top of it, which sends and receives
// across reconnects. A [ws.Heartbeat] detects a link that has died without a close.
//
// # What stays different in a browser
//
// A browser cannot send headers or pings; it reports every violation of the protocol as
// 1006; it delivers only complete messages, and MaxMessageSize therefore applies late;
// and it cannot slow a sender down, and unread messages therefore end the connection
// when ReceiveBuffer is full. A page may not send the close reasons 1001 to 1014; they
// are sent as 3901 to 3914, and servers of this library translate them back.
package isosocket
