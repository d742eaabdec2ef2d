package errors

// ConnectionClosed says why a connection ended. Every call on a connection
// that has ended returns one with the same Reason, Message and Remote: the
// first cause.
type ConnectionClosed struct {
	// Reason is the close reason: the peer's if Remote, else this side's.
	// AbnormalClosure means that the connection was lost without a close frame.
	Reason CloseReason
	// Message is the text that came with the reason, at most 123 bytes of
	// UTF-8, often empty.
	Message string
	// Remote says which side decided: true if the reason was in the peer's close frame,
	// false if this side closed, gave up, or lost the connection.
	Remote bool
	// Err is the underlying cause, if there is one, such as the I/O error that cut the
	// connection. It is never sent to the peer. Natively it is io.EOF if the stream
	// ended between two messages, and io.ErrUnexpectedEOF if it ended inside a frame or
	// between the fragments of a message.
	Err error
}

// Error returns the reason, its name, the message, who closed, and the cause.
func (e *ConnectionClosed) Error() string {
	s := "websocket: connection closed by the peer: "
	if !e.Remote {
		s = "websocket: connection closed: "
	}
	s += e.Reason.String()
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the underlying cause, nil if there is none.
func (e *ConnectionClosed) Unwrap() error { return e.Err }

// Is reports whether target is the [CloseReason] of e or [ErrWebSocket].
func (e *ConnectionClosed) Is(target error) bool {
	if target == ErrWebSocket {
		return true
	}
	reason, ok := target.(CloseReason)
	return ok && reason == e.Reason
}
