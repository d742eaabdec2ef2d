// Package errors describes why a WebSocket connection ended, or why it could
// not be opened, with the same types in a browser and on a server.
//
// # The errors
//
// [ConnectionClosed] is the end of a connection: its [CloseReason], the
// message that came with it, and whether the peer said so (Remote) or this
// side decided it. Once a connection has ended, every call on it returns the
// same ConnectionClosed, the first cause.
//
// [ConnectionError] is a connection that could not be opened. Its StatusCode
// is the HTTP status that refused the handshake, or 0 if there was none. With
// [ErrRedirected] or [ErrForbidden] as its cause, another attempt does not help.
//
// Mistakes of the caller have sentinels: [ErrInvalidCloseReason],
// [ErrInvalidURL], [ErrInvalidSubprotocol], [ErrInvalidUTF8],
// [ErrMessageTooBig]. They leave an open connection open. A field that a
// target cannot honour is [ErrUnsupported], wrapped with the field's name.
//
// All of these errors match [ErrWebSocket]:
//
//	errors.Is(err, errors.ErrWebSocket)
//
// # Checking the reason
//
// A CloseReason is itself a target of [Is]:
//
//	switch {
//	case errors.Is(err, errors.NormalClosure):
//		// the peer is done
//	case errors.Is(err, errors.GoingAway):
//		// the server restarts, or the page was left
//	}
//
// [As] and [AsType] return the error with its details:
//
//	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
//		log.Print(closed.Reason, closed.Message, closed.Remote)
//	}
//
// # One import
//
// The package also exports [Is], [As], [AsType], [Join], [New], [Unwrap] and
// [ErrUnsupported] of the standard library, so that a program can import it in
// place of that. To use both, import this one as wserrors.
package errors
