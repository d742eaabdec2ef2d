package driver

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/errors"
)

// Transport is the part of a [ws.Conn] that each target implements. It carries whole
// messages in both directions and performs the closing handshake. Conn implements all
// rules that do not depend on the target.
//
// Conn calls Receive and TryReceive from one goroutine at a time. All other methods
// may be called from many goroutines at the same time.
//
// [ws.Conn]: https://pkg.go.dev/github.com/isosocket/isosocket/ws#Conn
type Transport interface {
	// Receive waits for the next message. Its data is appended to buf[:0] if
	// buf is not nil. Otherwise the caller owns the memory of the result.
	//
	// If ctx ends first, Receive returns ctx.Err(), and the next call continues at
	// the same place, even in the middle of a message. Every other error means that
	// there will be no more messages; Ending has the cause before Receive returns.
	// Messages that arrived before the end are returned before the error. Close makes
	// a waiting Receive return soon, with any error.
	Receive(ctx context.Context, buf []byte) (Message, error)

	// TryReceive is like Receive, but does not wait: ok is false if no message has
	// arrived yet. It reads from the network if that is possible without blocking.
	// Otherwise it makes sure that a later call finds the message.
	TryReceive(buf []byte) (m Message, ok bool, err error)

	// Send queues m, which Conn has checked, and returns; the caller may then reuse
	// m.Data. While the queued bytes reach the high-water mark, Send waits for space.
	// If ctx ends during this wait, it returns ctx.Err(), and no part of m is sent.
	// After the end it returns any error.
	Send(ctx context.Context, m Message) error

	// Flush waits until everything sent has left this process. When ctx ends
	// first it returns ctx.Err(). After the end it returns any error if
	// something was lost.
	Flush(ctx context.Context) error

	// Buffered returns how many bytes were sent but have not left yet. Bytes that the
	// system has taken and could not send count, if that is known.
	Buffered() int

	// Close sends a close frame after the queued messages, waits for the peer's, and
	// releases all resources, even if it returns an error. It returns nil if the peer
	// answered, or had closed already, and an error if ctx ended or the connection
	// broke first. Before Close is called, Conn has checked reason and message and has
	// set Ending. Conn calls Close once.
	Close(ctx context.Context, reason errors.CloseReason, message string) error

	// Ending returns the Ending in which this transport reports its end. Each call
	// returns the same one.
	Ending() *Ending
}

// TrySender may be implemented by a [Transport]. Without it, Conn calls Send
// with a context that has ended.
type TrySender interface {
	// TrySend is like Send, but never waits: while the queued bytes reach the
	// high-water mark, it returns [errors.ErrWouldBlock], and no part of m is sent.
	TrySend(m Message) error
}

// ArrivalCounter may be implemented by a [Transport]. Without it a [Heartbeat]
// counts only received messages as signs of life, and ends the connection only while
// the program receives.
type ArrivalCounter interface {
	// Arrivals returns a number. The sum of it and the number of received messages must
	// change whenever anything arrives from the peer: a message, a part of one, or a
	// control frame, whether the program receives or not. It may be a count of all
	// arrivals, or of the messages that wait. listening is false while nothing can
	// arrive because the transport does not read, as its receive buffer is full.
	Arrivals() (n uint64, listening bool)
}

// DepartureCounter may be implemented by a [Transport]. Without it a [Heartbeat]
// does not notice that a peer which sends nothing still receives.
type DepartureCounter interface {
	// Departures returns a number that changes when the peer has accepted sent data, as
	// far as the transport can know: when it has acknowledged bytes, or when bytes have
	// left this process. waiting reports whether data waits until the peer has accepted
	// earlier data: only then does a change mean that the peer is alive. patience is how
	// long the number may stay the same although the peer reads, because the system below
	// reports its progress in large steps; 0 if that is not known.
	Departures() (n uint64, waiting bool, patience time.Duration)
}

// BackgroundReceiver may be implemented by a [Transport] that continues to receive
// while no Receive is in progress. Without it, heartbeats are answered only while the
// program receives.
type BackgroundReceiver interface {
	// OfferFirst makes the transport call take with each message that arrives while
	// the program does not receive, if no earlier message waits to be received. If
	// take returns true, the message is dropped; otherwise it waits. take does not
	// block, and m belongs to the transport. OfferFirst is called at most once, before
	// any other method.
	OfferFirst(take func(m Message) bool)
}

// LatencyMeter may be implemented by a [Transport] that sends pings.
type LatencyMeter interface {
	// Latency returns the last measured time between a ping and its pong, 0 if
	// there is none.
	Latency() time.Duration
}

// Pinger may be implemented by a [Transport] that can send a ping and wait for its pong
// (RFC 6455, section 5.5.2).
type Pinger interface {
	// Ping sends a ping and returns the time that passed until its pong. The pong must be
	// read whether the program receives or not. If ctx ends first, Ping returns ctx.Err(),
	// and after the end of the connection any error.
	Ping(ctx context.Context) (time.Duration, error)
}

// WaitChecker may be implemented by a [Transport] that has goroutines which must not
// wait: in a browser that of a JavaScript callback, which would wait forever. Such a
// transport's own methods return an [errors.ErrWouldBlock] there in place of
// waiting, and leave the connection open; its Close has sent the close frame.
type WaitChecker interface {
	// MayWait returns nil if the calling goroutine may wait. Otherwise it returns an
	// [errors.ErrWouldBlock] that says why call may not, and what to do instead.
	MayWait(call, instead string) error
}

// Failer may be implemented by a [Transport]. Without it, Close ends a connection whose
// peer is gone, and drops the messages that were not received.
type Failer interface {
	// Fail ends the connection for a cause that this side found: cause goes into
	// Ending, a close frame is sent if that needs no wait, and messages that arrived
	// before can still be received. Close may be called later, or at the same time.
	Fail(cause *errors.ConnectionClosed)
}
