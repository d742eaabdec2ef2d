//go:build !js

// Package server accepts WebSocket connections in a native program, of
// browsers and of every other client.
//
// # A handler
//
// [Handler] makes an http.Handler of a function that is called for each
// connection:
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
// A [Conn] is a ws.Conn, so all that clients can do a server can do too. When
// the function returns the connection is closed: with 1000 (normal closure) for
// nil, with the [errors.CloseReason] or [errors.ConnectionClosed] that it
// returned, else with 1011 (internal error), and what was wrong goes to the log,
// not to the peer. Returning the
// error with which Receive told of the end is the normal way out.
//
// [Accept] is for handlers that want to do all this themselves.
//
// # Who may connect
//
// A browser sends a user's cookies with every handshake, whatever page it
// comes from. So a handshake that names an Origin, as all browsers' do, is
// refused unless it is the host that was dialed, or one of
// Options.OriginPatterns. Options.Authorize checks everything else, be it a
// cookie, a token or a ticket, and says who connects:
//
//	options := &server.Options{Authorize: func(r *http.Request) (any, error) {
//		user, err := userOf(r)
//		if err != nil {
//			return nil, &errors.ConnectionError{StatusCode: http.StatusUnauthorized}
//		}
//		return user, nil // conn.Principal()
//	}}
//
// A middleware in front can do the same, but a browser client cannot tell its
// refusal from another server's answer, and so dials again.
//
// Behind a middleware that changes the http.ResponseWriter, that must have a
// method Unwrap, as for http.ResponseController; else handshakes are answered
// with 501.
//
// # Refusals
//
// What is no handshake, or a bad one, is answered with a status and a
// sentence that says what is wrong. A browser hides both from its page, so this
// library's client asks once more with fetch, in a way that an Endpoint and
// Accept recognise: they answer as they would answer the handshake, Authorize
// included, and mark the answer, so that the client can believe it. It has the
// CORS fields that let an allowed page read it.
//
// A refusal of a request that asked for an upgrade ends the HTTP connection:
// behind a proxy that takes what follows for the upgraded protocol, a second
// request in there would pass it unseen.
//
// # Dead peers
//
// A peer is pinged every Options.PingInterval, and given up with 1008 (policy
// violation) when there was no sign of life for PingInterval and PingTimeout together:
// nothing came from it, and it took nothing of what waits to be sent. Browsers answer
// pings by themselves.
//
// # Shutting down
//
// [http.Server.Shutdown] does not know WebSocket connections. [Endpoint.Shutdown]
// closes them with 1001 (going away), which makes clients come back, and waits
// for their functions:
//
//	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
//	defer cancel()
//	err := errors.Join(httpServer.Shutdown(ctx), chat.Shutdown(ctx))
//
// [Endpoint.Drain] is gentler, and meant for rolling restarts: it ends the functions'
// contexts first, one after the other, and closes each connection with 1012 (service
// restart) when its function has returned. [Stop] drains endpoints and shuts their
// http.Server down.
//
// # Connections of your own
//
// The net.Listener of the http.Server may return any net.Conn. One that is exactly a
// *net.TCPConn or *net.UnixConn is read and written through its descriptor. Any other
// is used through its own Read, Write, SetReadDeadline and Close only, even if it embeds
// one of these, so that it may encrypt, count or slow down what passes.
//
// # Memory
//
// ServeHTTP returns when the connection's function has returned, as with any
// other handler, so that every middleware does what it should. net/http keeps
// the request, its buffers and a larger stack meanwhile. With Options.Detach they
// are released after the handshake: a connection that waits then holds a
// goroutine of 4 KiB and less than 4 KiB beside it, at a price that Detach names.
package server
