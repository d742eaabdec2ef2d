// Package errors says why a WebSocket connection ended, or why it never came
// to be, in the same words in a browser and on a server.
//
// # The errors
//
// [ConnectionClosed] is the end of a connection: its [CloseReason], the
// message that came with it, and whether the peer said so (Remote) or this
// side decided it. Once a connection has ended, every call on it returns the
// same ConnectionClosed, the first cause.
//
// [ConnectionError] is a connection that could not be opened. Its StatusCode
// is the HTTP status that refused the handshake, or 0 when there was none.
// [ErrRedirected] and [ErrForbidden] are causes for which another attempt makes
// no sense.
//
// Mistakes of the caller have sentinels: [ErrInvalidCloseReason],
// [ErrInvalidURL], [ErrInvalidSubprotocol], [ErrInvalidUTF8],
// [ErrMessageTooBig]. They leave an open connection open. A field that a
// target cannot honour is [ErrUnsupported], wrapped with the field's name.
//
// Everything above answers to [ErrWebSocket]:
//
//	errors.Is(err, errors.ErrWebSocket)
//
// # Asking for a reason
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
// and [As] or [AsType] give the whole story:
//
//	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
//		log.Print(closed.Reason, closed.Message, closed.Remote)
//	}
//
// # One import
//
// The package hands on [Is], [As], [AsType], [Join], [New], [Unwrap] and
// [ErrUnsupported] of the standard library, so that it can be imported in its
// place. Beside the standard one, import it as wserrors.
package errors
