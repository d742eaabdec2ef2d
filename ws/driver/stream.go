package driver

import (
	"context"
	"io"
)

// StreamSender may be implemented by a [Transport] that can send a message before all
// of its data is available. Without it, Conn gathers a message in memory, up to its
// limit for messages that are sent whole, and calls Send.
type StreamSender interface {
	// NextWriter begins a message of kind. fragment is the size, in bytes, of the parts
	// that the message is cut into where the transport does that. Conn calls NextWriter
	// only after the end of the previous message, and checks the written data.
	NextWriter(ctx context.Context, kind Kind, fragment int) (MessageWriter, error)
}

// MessageWriter writes one message. Its methods are called by one goroutine at a time.
//
// From the first part that is sent until Close or Abandon, the transport sends no other
// message: Send waits, and TrySend returns [errors.ErrWouldBlock]. A transport that sends
// the message as a whole, in Close, need not make others wait.
type MessageWriter interface {
	// Write adds p to the message; the caller may then reuse p. It waits while enough
	// is queued. If ctx ends during that wait, it returns ctx.Err(), and after the end
	// of the connection any error: the message will not be completed.
	Write(ctx context.Context, p []byte) (n int, err error)

	// Close completes the message. Its errors are those of Write. An
	// [errors.ErrUnsupported] says that this message cannot be sent; then no part of it
	// was.
	Close(ctx context.Context) error

	// Abandon releases the resources of the writer. Conn ends the connection before it
	// calls Abandon, if Write was called.
	Abandon()
}

// StreamReceiver may be implemented by a [Transport] that can deliver a message in
// parts. Without it, Conn calls Receive.
//
// A Receive, TryReceive or NextReader while a message was not read to its end drops the
// rest of that message. Conn calls the methods of the reader from the goroutine that it
// calls Receive from, and does not call those of an older reader.
type StreamReceiver interface {
	// NextReader is like Receive, but returns as soon as a message has begun to arrive.
	// If ctx has ended, it returns only a message that has begun to arrive.
	NextReader(ctx context.Context) (MessageReader, error)
}

// MessageReader reads one message.
type MessageReader interface {
	// Kind returns whether the message is text or binary.
	Kind() Kind

	// Read reads up to len(p) bytes, which is more than 0, and waits for at least one. At
	// the end of the message it returns [io.EOF], and no data. If ctx ends, it returns
	// ctx.Err(), and the next call continues at the same place; if ctx has ended before,
	// it reads only data that has arrived. Every other error means that the connection
	// ended before the message was whole.
	Read(ctx context.Context, p []byte) (n int, err error)
}

// ReaderOf returns a MessageReader of a message that has arrived whole. It takes
// ownership of m.Data.
func ReaderOf(m Message) MessageReader { return &wholeMessage{m} }

type wholeMessage struct{ m Message }

func (w *wholeMessage) Kind() Kind { return w.m.Kind }

func (w *wholeMessage) Read(_ context.Context, p []byte) (int, error) {
	if len(w.m.Data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.m.Data)
	w.m.Data = w.m.Data[n:]
	return n, nil
}

// PingSender may be implemented by a [Transport] that has the pings of RFC 6455, section
// 5.5.2. A [Heartbeat] that cannot be sent, because a message is being written, is
// replaced by a ping. Without it a Heartbeat may find a peer dead while a message is
// open and nothing is written to it.
type PingSender interface {
	// SendPing sends a ping, if that needs no wait.
	SendPing()
}
