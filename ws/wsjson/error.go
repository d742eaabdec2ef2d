package wsjson

import (
	"strconv"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// DecodeError says why a message did not decode. It is the [errors.CloseReason]
// that [DecodeError.Reason] returns, so a server's function that returns it
// closes the connection with that reason.
type DecodeError struct {
	// Message is the message as it arrived. The receiver of the error owns its
	// data.
	Message ws.Message
	// Err is the cause: a [json.SyntaxError], a [json.UnmarshalTypeError], or
	// the error of an UnmarshalJSON method.
	//
	// [json.SyntaxError]: https://pkg.go.dev/encoding/json#SyntaxError
	// [json.UnmarshalTypeError]: https://pkg.go.dev/encoding/json#UnmarshalTypeError
	Err error
}

// Error returns kind and size of the message, but not its data, and the cause.
func (e *DecodeError) Error() string {
	return "websocket: cannot decode a " + e.Message.Kind.String() + " message of " +
		strconv.Itoa(len(e.Message.Data)) + " bytes as JSON: " + e.Err.Error()
}

// Reason returns [errors.UnsupportedData] for a binary message, otherwise
// [errors.InvalidPayload] (RFC 6455, section 7.4.1).
func (e *DecodeError) Reason() errors.CloseReason {
	if e.Message.Kind == ws.KindBinary {
		return errors.UnsupportedData
	}
	return errors.InvalidPayload
}

// Unwrap returns the cause and the reason.
func (e *DecodeError) Unwrap() []error { return []error{e.Err, e.Reason()} }

// Is reports whether target is [errors.ErrWebSocket], which every DecodeError matches.
func (e *DecodeError) Is(target error) bool { return target == errors.ErrWebSocket }

// EncodeError says why a value could not be encoded.
type EncodeError struct {
	// Err is the cause, such as a [json.UnsupportedTypeError].
	//
	// [json.UnsupportedTypeError]: https://pkg.go.dev/encoding/json#UnsupportedTypeError
	Err error
}

// Error returns the cause.
func (e *EncodeError) Error() string {
	return "websocket: cannot encode the value as JSON: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *EncodeError) Unwrap() error { return e.Err }

// Is reports whether target is [errors.ErrWebSocket], which every EncodeError matches.
func (e *EncodeError) Is(target error) bool { return target == errors.ErrWebSocket }
