package errors

import "strconv"

// CloseReason is the status code with which a WebSocket connection ends
// (RFC 6455, section 7.4). It is an error, so that it can be a target:
// errors.Is(err, errors.GoingAway) reports whether err is a
// [*ConnectionClosed] with that reason.
//
// An application's own reasons come from 3000-3999 (registered with IANA) or
// 4000-4999 (private use), except 3901-3914: see [CloseReason.BrowserAlias].
type CloseReason uint16

// The close reasons of RFC 6455, section 7.4.1, and of the IANA registry.
const (
	// NormalClosure (1000): the purpose of the connection was fulfilled.
	NormalClosure CloseReason = 1000
	// GoingAway (1001): the server shuts down, or the page was left.
	GoingAway CloseReason = 1001
	// ProtocolError (1002): the peer broke the WebSocket protocol.
	ProtocolError CloseReason = 1002
	// UnsupportedData (1003): a kind of message that this end cannot accept.
	UnsupportedData CloseReason = 1003
	// NoStatusReceived (1005): the close frame had no reason. Never sent.
	NoStatusReceived CloseReason = 1005
	// AbnormalClosure (1006): the connection was lost without a close frame.
	// Never sent.
	AbnormalClosure CloseReason = 1006
	// InvalidPayload (1007): a message's data did not fit its kind, such as
	// text that is not UTF-8.
	InvalidPayload CloseReason = 1007
	// PolicyViolation (1008): a message, or a silence, broke a rule of this end.
	PolicyViolation CloseReason = 1008
	// MessageTooBig (1009): a message was larger than this end accepts.
	MessageTooBig CloseReason = 1009
	// MandatoryExtension (1010): the server did not negotiate an extension that
	// the client needs.
	MandatoryExtension CloseReason = 1010
	// InternalError (1011): an unexpected condition kept this end from continuing.
	InternalError CloseReason = 1011
	// ServiceRestart (1012): the server restarts; the client may reconnect.
	ServiceRestart CloseReason = 1012
	// TryAgainLater (1013): the server is overloaded; the client may reconnect later.
	TryAgainLater CloseReason = 1013
	// BadGateway (1014): a gateway had an invalid answer from its upstream server.
	BadGateway CloseReason = 1014
	// TLSHandshake (1015): the TLS handshake failed. Never sent.
	TLSHandshake CloseReason = 1015
)

// String returns the number and the name, such as "1001 (going away)". An
// application's reasons print their range.
func (r CloseReason) String() string {
	text := r.name()
	switch {
	case text != "":
	case r >= 3000 && r <= 3999:
		text = "registered application reason, 3000-3999"
	case r >= 4000 && r <= 4999:
		text = "private application reason, 4000-4999"
	case r >= 1000 && r <= 2999:
		text = "unassigned protocol reason, 1000-2999"
	default:
		text = "not a close reason"
	}
	return strconv.Itoa(int(r)) + " (" + text + ")"
}

// name returns the field's name for r, "" for an application's own reason.
func (r CloseReason) name() string {
	switch r {
	case NormalClosure:
		return "normal closure"
	case GoingAway:
		return "going away"
	case ProtocolError:
		return "protocol error"
	case UnsupportedData:
		return "unsupported data"
	case NoStatusReceived:
		return "no status received"
	case AbnormalClosure:
		return "abnormal closure"
	case InvalidPayload:
		return "invalid payload"
	case PolicyViolation:
		return "policy violation"
	case MessageTooBig:
		return "message too big"
	case MandatoryExtension:
		return "mandatory extension"
	case InternalError:
		return "internal error"
	case ServiceRestart:
		return "service restart"
	case TryAgainLater:
		return "try again later"
	case BadGateway:
		return "bad gateway"
	case TLSHandshake:
		return "TLS handshake failed"
	}
	return ""
}

// Error makes a CloseReason usable as a target of [Is]. It returns the same text as
// String, because fmt prefers Error.
func (r CloseReason) Error() string { return r.String() }

// Is reports whether target is [ErrWebSocket], which every reason matches.
func (r CloseReason) Is(target error) bool { return target == ErrWebSocket }

// Sendable reports whether r may be passed to Close: 1000-1003, 1007-1014,
// 3000-3900 and 3915-4999.
func (r CloseReason) Sendable() bool {
	switch {
	case r >= NormalClosure && r <= UnsupportedData,
		r >= InvalidPayload && r <= BadGateway,
		r >= 3000 && r <= 4999 && !r.aliased():
		return true
	}
	return false
}

// Reserved reports whether r only describes how a connection ended and never
// appears in a close frame: 1005, 1006 and 1015 (RFC 6455, section 7.4.1).
func (r CloseReason) Reserved() bool {
	return r == NoStatusReceived || r == AbnormalClosure || r == TLSHandshake
}

// Retryable reports whether a new connection may succeed: true for 1001, 1006,
// 1011, 1012, 1013 and 1014. It is false for an application's own reasons, whose
// meaning only the application knows.
func (r CloseReason) Retryable() bool {
	switch r {
	case GoingAway, AbnormalClosure, InternalError, ServiceRestart, TryAgainLater, BadGateway:
		return true
	}
	return false
}

// Normal reports whether r means that nothing was wrong with the connection:
// 1000, 1001 (the page was left, the server shuts down) and 1005 (the peer
// closed without giving a reason).
func (r CloseReason) Normal() bool {
	return r == NormalClosure || r == GoingAway || r == NoStatusReceived
}

const browserAliasOffset = 2900

// aliased reports whether r is one of the aliases of BrowserAlias.
func (r CloseReason) aliased() bool { return r >= 3901 && r <= 3914 }

// BrowserAlias returns the reason that a browser sends in place of r. A
// browser's WebSocket.close allows 1000 and 3000-4999 only, so 1001-1014
// travel as 3901-3914, and a server of this library reads them back with
// [CloseReason.FromBrowserAlias]. Every other reason is its own alias.
func (r CloseReason) BrowserAlias() CloseReason {
	if r >= GoingAway && r <= BadGateway {
		return r + browserAliasOffset
	}
	return r
}

// FromBrowserAlias undoes [CloseReason.BrowserAlias]. An alias of a reason that is
// never sent (1004-1006) is returned unchanged.
func (r CloseReason) FromBrowserAlias() CloseReason {
	if r.aliased() && (r - browserAliasOffset).Sendable() {
		return r - browserAliasOffset
	}
	return r
}
