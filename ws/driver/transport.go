package driver

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/errors"
)

// Transport is what a target implements under a [Conn]. It carries whole
// messages one way and the other and performs the closing handshake. Every
// rule that does not depend on the target is Conn's.
//
// Conn calls Receive and TryReceive from one goroutine at a time. Everything
// else may be called from many, at the same time.
type Transport interface {
	// Receive waits for the next message. Its data is appended to buf[:0] if
	// buf is not nil; else the caller owns the memory that comes back.
	//
	// When ctx ends first, Receive returns ctx.Err() and keeps its place: the
	// next call continues, even in the middle of a message. Every other error
	// means that no message will come any more; the cause is in Ending before
	// Receive returns it. Messages that arrived before the end come before it.
	// Close makes a Receive that waits return soon, with any error.
	Receive(ctx context.Context, buf []byte) (Message, error)

	// TryReceive is Receive without the wait: ok is false if no message has
	// arrived yet. It asks the network itself where that is possible without
	// blocking; where it is not, it sees to it that a message is found by a
	// later call.
	TryReceive(buf []byte) (m Message, ok bool, err error)

	// Send queues m, which Conn found valid, and returns; m.Data belongs to
	// the caller again. While the high-water mark's worth of bytes is queued it
	// waits for room, and when ctx ends there, it returns ctx.Err() and nothing
	// of m goes out. After the end it returns any error.
	Send(ctx context.Context, m Message) error

	// Flush waits until everything sent has left this process. When ctx ends
	// first it returns ctx.Err(). After the end it returns any error if
	// something was lost.
	Flush(ctx context.Context) error

	// Buffered returns how many bytes were sent but have not left yet. Bytes that the
	// system has taken and could not send count, if that is known.
	Buffered() int

	// Close sends a close frame after what was sent, waits for the peer's, and
	// releases everything: whatever it returns, nothing is left afterwards. It
	// returns nil if the peer answered, or had closed already, and an error if
	// ctx ended or the connection broke first. Conn has checked reason and
	// message, has set Ending, and calls Close once.
	Close(ctx context.Context, reason errors.CloseReason, message string) error

	// Ending returns where this transport reports its end, always the same one.
	Ending() *Ending
}

// TrySender may be implemented by a [Transport]. Without it, Conn calls Send
// with a context that has ended.
type TrySender interface {
	// TrySend is Send that never waits: while the high-water mark's worth of bytes
	// is queued it returns [errors.ErrWouldBlock], and nothing of m goes out.
	TrySend(m Message) error
}

// ArrivalCounter may be implemented by a [Transport]. Without it a [Heartbeat]
// sees life only in messages that are received, and judges only while somebody
// receives.
type ArrivalCounter interface {
	// Arrivals returns a number that, added to the number of messages that were
	// received, changes whenever something comes from the peer, be it a message, a part of
	// one, or a control frame, whether somebody receives or not: a count of all
	// that came, say, or of the messages that wait. listening is false while
	// nothing can come because the transport does not read, its receive buffer
	// being full.
	Arrivals() (n uint64, listening bool)
}

// DepartureCounter may be implemented by a [Transport]. Without it a [Heartbeat]
// does not see that a peer which sends nothing takes what it is sent.
type DepartureCounter interface {
	// Departures returns a number that changes when the peer has taken something
	// of what was sent, as far as the transport can know: when it has
	// acknowledged bytes, or when some have left this process. waiting reports
	// whether something waits until the peer has taken what is before it: only then
	// does a change mean that the peer is alive.
	Departures() (n uint64, waiting bool)
}

// BackgroundReceiver may be implemented by a [Transport] that goes on receiving
// while no Receive is under way. Without it, heartbeats are answered only while the
// program receives.
type BackgroundReceiver interface {
	// OfferFirst makes the transport call take with each message that comes while the
	// program does not receive, if none that came before waits to be received. When take returns
	// true the message is dropped, else it waits. take does not block, and m
	// belongs to the transport. OfferFirst is called at most once, before
	// anything else.
	OfferFirst(take func(m Message) bool)
}

// LatencyMeter may be implemented by a [Transport] that sends pings.
type LatencyMeter interface {
	// Latency returns the last measured time between a ping and its pong, 0 if
	// there is none.
	Latency() time.Duration
}

// WaitChecker may be implemented by a [Transport] that has goroutines which must not
// wait: in a browser that of a JavaScript callback, which would wait forever. Such a
// transport's own methods return an [errors.ErrWouldBlock] there in place of
// waiting, and leave the connection open; its Close has sent the close frame.
type WaitChecker interface {
	// MayWait returns nil if the calling goroutine may wait, else an
	// [errors.ErrWouldBlock] that says why call may not, and what to do instead.
	MayWait(call, instead string) error
}

// Failer may be implemented by a [Transport]. Without it, Close ends a
// connection whose peer is gone, and drops what was not received.
type Failer interface {
	// Fail ends the connection for a cause that this side found: cause goes into
	// Ending, a close frame is sent if that needs no wait, and messages that arrived
	// before can still be received. Close may be called later, and beside it.
	Fail(cause *errors.ConnectionClosed)
}
