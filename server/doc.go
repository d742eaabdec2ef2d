//go:build !js

// Package server accepts WebSocket connections from browsers and all other
// clients. It is for native programs.
//
// # A handler
//
// [Handler] returns an http.Handler that calls a function for each connection:
//
//	chat := server.Handler(func(ctx context.Context, conn *server.Conn) error {
//		for m, err := range conn.Messages(ctx) {
//			if err != nil {
//				return err
//			}
//			if err := conn.Send(ctx, m); err != nil {
//				return err
//			}
//		}
//		return nil
//	}, nil)
//	http.Handle("/chat", chat)
//
// A [Conn] is a ws.Conn, so a server has the same methods as a client. When the
// function returns, the connection is closed: with 1000 (normal closure) if it
// returned nil, with the [errors.CloseReason] or [errors.ConnectionClosed] that it
// returned, and otherwise with 1011 (internal error). The text of such an error is
// logged and not sent to the peer. A function normally ends by returning the error
// with which Receive reported the end.
//
// [Accept] is for handlers that manage the connection themselves.
//
// # Who may connect
//
// A browser sends a user's cookies with every handshake, from any page. So a handshake with
// an Origin header, which all browsers send, is refused unless the origin is the host that
// was dialed or matches one of Options.OriginPatterns. Options.Authorize checks everything
// else, such as a cookie, a token or a ticket, and returns the principal that connects:
//
//	options := &server.Options{Authorize: func(r *http.Request) (any, error) {
//		user, err := userOf(r)
//		if err != nil {
//			return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized}
//		}
//		return user, nil // conn.Principal()
//	}}
//
// A middleware can do the same, but a browser client cannot tell its refusal from
// another server's answer, and so dials again.
//
// If a middleware wraps the http.ResponseWriter, the wrapper must have a method
// Unwrap, as http.ResponseController requires. Otherwise handshakes are answered
// with 501, and the log says which writer hides the connection. http.TimeoutHandler has
// such a writer: mount the endpoint outside of it.
//
// # Refusals
//
// A request that is not a valid handshake is answered with a status and a sentence that
// states the error. A browser hides both from its page, so this library's client repeats
// the request with fetch, in a form that Endpoint and Accept recognise. They answer it as
// they would answer the handshake, including Authorize, and mark the answer so that the
// client can trust it. The answer has the CORS fields that let an allowed page read it.
//
// A refusal of a request that asked for an upgrade ends the HTTP connection. A
// proxy may treat the bytes that follow as the upgraded protocol, and a second
// request among them would then bypass the proxy's checks.
//
// # Dead peers
//
// The server pings the peer every Options.PingInterval. It ends the connection with
// 1008 (policy violation) when there was no sign of life for PingInterval plus
// PingTimeout: nothing arrived from the peer, and the peer took none of the data that
// waits to be sent. Browsers answer pings by themselves.
//
// # Shutting down
//
// [http.Server.Shutdown] does not close WebSocket connections. [Endpoint.Shutdown]
// closes them with 1001 (going away), after which clients reconnect, and waits
// for their functions:
//
//	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
//	defer cancel()
//	err := errors.Join(httpServer.Shutdown(ctx), chat.Shutdown(ctx))
//
// [Endpoint.Drain] is meant for rolling restarts: it first ends the functions' contexts,
// one after the other, and closes each connection with 1012 (service restart) when its
// function has returned. [Stop] drains endpoints and shuts down their http.Server.
//
// # Observability
//
// [Endpoint.Stats] returns the counters of an endpoint: connections, handshakes by status,
// messages and bytes, ends by reason, and queued data. The functions of Options.Observer
// are called for handshakes, connections and limits. Two modules build on these: the
// packages server/prometheus and server/otel.
//
// # Connections of your own
//
// The net.Listener of the http.Server may return any net.Conn. One that is exactly a
// *net.TCPConn or *net.UnixConn is read and written through its descriptor. Any other is
// used only through its own Read, Write, SetReadDeadline and Close, even if it embeds one
// of these, so it may encrypt, count or slow down the data.
//
// # Memory
//
// ServeHTTP returns when the connection's function has returned, as with any other handler,
// so every middleware works as usual. Until then net/http keeps the request, its buffers
// and a larger stack. With Options.Detach they are released after the handshake: an idle
// connection then holds a goroutine of 4 KiB and less than 4 KiB besides. Detach describes
// the drawbacks.
package server
