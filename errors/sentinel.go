package errors

// ErrWebSocket is the common base: [Is] reports true for it and every error that
// this library makes.
var ErrWebSocket error = sentinel("websocket")

// Mistakes of the caller. None of them changes an open connection.
var (
	// ErrInvalidCloseReason: a reason that may not be passed to Close; see
	// [CloseReason.Sendable].
	ErrInvalidCloseReason error = sentinel("websocket: invalid close reason")
	// ErrInvalidURL: not an absolute ws, wss, http or https URL with a valid host and
	// without a fragment. The error describes the problem, and repeats no part of the
	// URL that may be a secret.
	ErrInvalidURL error = sentinel("websocket: invalid URL")
	// ErrInvalidSubprotocol: not a token of RFC 9110, or given twice.
	ErrInvalidSubprotocol error = sentinel("websocket: invalid subprotocol")
	// ErrInvalidUTF8: a text message that is not UTF-8.
	ErrInvalidUTF8 error = sentinel("websocket: invalid UTF-8 in a text message")
	// ErrMessageTooBig: a message over this side's own MaxMessageSize, or MaxStreamSize if
	// a writer writes it.
	ErrMessageTooBig error = sentinel("websocket: message too big")
	// ErrWouldBlock: a call that never waits would have to wait, or a call that may
	// wait was made where waiting is not allowed: in a browser, inside a JavaScript
	// callback, during which nothing can arrive. The connection is unchanged.
	ErrWouldBlock error = sentinel("websocket: the call would block")
	// ErrConcurrentReceive: a Receive while another goroutine is in one.
	ErrConcurrentReceive error = sentinel("websocket: a Receive is already under way")
)

// ErrMessageAbandoned: the writer or the reader of one message cannot be used any more,
// because that message will not be completed, or its rest was dropped. The error wraps the
// reason.
var ErrMessageAbandoned error = sentinel("websocket: the message was abandoned")

// Reasons for a failed attempt to connect. Another attempt does not help.
var (
	// ErrRedirected: the server answered the handshake with a redirect, which is
	// never followed. Natively StatusCode is its 3xx status. A browser hides a
	// redirect, and StatusCode is 0 there; a redirect is recognised where the
	// server shares the page's origin, or its answer has CORS fields that let the
	// page read it, and is otherwise a failure without a status.
	ErrRedirected error = sentinel("websocket: the server redirects the handshake")
	// ErrSubprotocolMismatch: the server chose none of the subprotocols that were
	// offered, or another one. A browser hides that where it fails such a handshake
	// itself, as most do; the error then has no status.
	ErrSubprotocolMismatch error = sentinel("websocket: subprotocol mismatch")
	// ErrBadHandshake: the server does not perform a WebSocket handshake according to
	// RFC 6455: it speaks no HTTP/1.1, or no TLS to a wss URL, or its 101 lacks a
	// field, has a wrong Sec-WebSocket-Accept or an extension that was not offered.
	// Native targets only: a browser hides it.
	ErrBadHandshake error = sentinel("websocket: bad handshake")
	// ErrForbidden: the browser forbids a connection to this URL, and the server cannot
	// allow it: ws from a page that was loaded over https (mixed content), an address
	// that the page's Content-Security-Policy does not allow, or a port that browsers
	// block. Browser builds only.
	ErrForbidden error = sentinel("websocket: the browser forbids the connection")
)

// Errors for messages that a reconnecting client held, sent or received.
var (
	// ErrOutboxFull: the outbox was full. It refused the message, or dropped an older one
	// to make space.
	ErrOutboxFull error = sentinel("websocket: the outbox is full")
	// ErrNotSent: the message was accepted, but not sent.
	ErrNotSent error = sentinel("websocket: the message was not sent")
	// ErrUnconfirmed: the message was sent, and it is not known whether it arrived.
	ErrUnconfirmed error = sentinel("websocket: the message may not have arrived")
	// ErrNotReceived: messages that had arrived were dropped, because they were not
	// received in time. Later messages are not affected.
	ErrNotReceived error = sentinel("websocket: messages were dropped before they were received")
)

type sentinel string

func (s sentinel) Error() string { return string(s) }

func (s sentinel) Is(target error) bool { return target == ErrWebSocket }
