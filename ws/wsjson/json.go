package wsjson

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// Sender sends messages: a [ws.Conn], a server's Conn, a reconnecting Client.
type Sender interface {
	Send(ctx context.Context, m ws.Message) error
}

// Receiver receives messages: a [ws.Conn], a server's Conn, a reconnecting Client.
type Receiver interface {
	Receive(ctx context.Context) (ws.Message, error)
}

// Send encodes v as [json.Marshal] does and sends it as one text message. v is
// not used after Send returns.
//
// A value that cannot be encoded is an [*EncodeError]: nothing is sent and the
// connection stays open. All other errors come from conn's Send, whose
// documentation also says which calls may run concurrently.
func Send(ctx context.Context, conn Sender, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return &EncodeError{Err: err}
	}
	return conn.Send(ctx, ws.Message{Kind: ws.KindText, Data: data})
}

// Receive waits for the next message of conn and decodes it as
// [json.Unmarshal] does into a new T. Strings in the value do not refer to the
// message.
//
// A message that does not decode is a [*DecodeError] that holds it; the
// connection stays open, and the next Receive returns the next message. All
// other errors come from conn's Receive, whose documentation also says which
// calls may run concurrently.
func Receive[T any](ctx context.Context, conn Receiver) (T, error) {
	m, err := conn.Receive(ctx)
	if err != nil {
		var zero T
		return zero, err
	}
	return Decode[T](m)
}

// Messages returns an iterator over the results of [Receive]. Like
// [ws.Conn.Messages] it ends without an error after a normal closure (1000),
// and yields every other end of the connection, or of ctx, as the last error.
//
// A [*DecodeError] does not end it: the loop decides whether to continue with the next
// message.
func Messages[T any](ctx context.Context, conn Receiver) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := Receive[T](ctx, conn)
			if errors.Is(err, errors.NormalClosure) {
				return
			}
			if !yield(v, err) {
				return
			}
			if _, skipped := errors.AsType[*DecodeError](err); err != nil && !skipped {
				return
			}
		}
	}
}

// Decode decodes one message, as [Receive] does: one JSON value in a text
// message, with nothing but white space around it. The error is a
// [*DecodeError].
func Decode[T any](m ws.Message) (T, error) {
	var v T
	if m.Kind != ws.KindText {
		return v, &DecodeError{Message: m, Err: errors.New("a binary message, where JSON travels as text")}
	}
	if err := json.Unmarshal(m.Data, &v); err != nil {
		if len(bytes.TrimSpace(m.Data)) == 0 {
			err = io.ErrUnexpectedEOF // json's own text does not say that the message is empty
		}
		var zero T
		return zero, &DecodeError{Message: m, Err: err}
	}
	return v, nil
}

// Closer closes a connection with a reason: a [ws.Conn], a server's Conn, a
// reconnecting Client.
type Closer interface {
	Close(reason errors.CloseReason, message string) error
}

// Reject closes conn because err, or an error that it wraps, is a
// [*DecodeError]: with 1003 (unsupported data) after a binary message, 1007
// (invalid frame payload data) otherwise, and a message that does not quote
// the peer's data. It returns the result of conn's Close. For any other error it
// does nothing and returns err.
func Reject(conn Closer, err error) error {
	bad, ok := errors.AsType[*DecodeError](err)
	if !ok {
		return err
	}
	return conn.Close(bad.Reason(), "the message is not the JSON that was expected")
}
