package rfc6455

import (
	"fmt"
	"strconv"
)

// Error is a breach of the protocol, or of a limit, by the peer. The connection cannot go
// on: it is to be closed with Code.
type Error struct {
	// Code is what the close frame should carry: 1002 (protocol error), 1007 (invalid
	// payload data), 1008 (policy violation: too many fragments) or 1009 (message too big).
	Code uint16
	// Reason says in words what was wrong and what is allowed. It is short enough for a close
	// frame.
	Reason string
}

// Error returns the reason and the code.
func (e *Error) Error() string {
	return e.Reason + " (close code " + strconv.Itoa(int(e.Code)) + ")"
}

// The codes an Error carries (RFC 6455, section 7.4.1).
const (
	codeProtocolError   = 1002
	codeInvalidPayload  = 1007
	codePolicyViolation = 1008
	codeTooBig          = 1009
)

func failure(code uint16, format string, args ...any) *Error {
	return &Error{Code: code, Reason: fmt.Sprintf(format, args...)}
}
