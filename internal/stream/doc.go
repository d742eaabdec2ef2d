// Package stream is a driver.Transport over a byte stream: the native engine, for
// clients and servers alike. Package rfc6455 implements the frames. This package
// decides which goroutine reads and writes, and when.
//
// # Reading
//
// Receive reads on the goroutine that calls it. It first parses the bytes of the last
// read, and only then asks the system for more. There is no reader goroutine
// and no channel between the socket and the caller. The goroutine that reads holds the
// turn (Transport.reading). A context that ends, a Close, or a Receive that
// wants the turn back from a background reader interrupts a read by setting a
// read deadline in the past. Bytes received so far stay in the buffers, and
// the next reader continues from there.
//
// A connection on which no Receive waits must still answer pings and notice
// its end. A coarse timer, armed at most once per period and never per
// message, detects such a connection and starts a background reader. This reader queues
// messages in an inbox, at most ReceiveBuffer bytes, and yields to the next Receive.
//
// # Writing
//
// Send appends a frame to an output buffer. If the caller still has unparsed
// input, the frame stays there. The next Send, the Receive that runs out of
// input, or a goroutine started for this purpose writes it together with the
// frames after it. Otherwise Send writes it at once. If the stream is a socket,
// the write does not block: a flusher goroutine writes the bytes that the system does not
// take, so a Send waits only above the high-water mark. Concurrent
// senders share one write. Pings and pongs go ahead of the messages that no goroutine has
// begun to write.
//
// In the code, output is deferred while it waits to be part of a later write, and bytes
// have left once the system has them.
//
// # Locks
//
// There are three: reading is the turn to read, timers guards the plans of liveness, and
// mu guards the writer. reading is taken before the others: its holder may take
// timers (for a pong) or mu (to answer a ping). timers and mu are never held together, and
// no goroutine waits for the stream while it holds one of them: a write happens between
// two sections under mu, and the flag writing keeps other goroutines from writing
// meanwhile. While holding one of the three, a goroutine takes only the locks of Flushers,
// the inbox and the ending, and no lock while holding one of those.
//
// # Closing
//
// Each of these is set once and never unset:
//
//	state      guarded by  set when                                 then
//	over       reading     the end is decided or Close is called    no more messages are parsed
//	Ending     itself      the cause is known                       Done is closed, Err has the cause
//	closeSent  mu          a close frame was queued                 nothing is queued after it
//	answered   timers      the peer's close frame was received      Close returns nil
//	broken     mu          a write failed or release was called     output is dropped, sends return
//	lost       mu          some output was lost                     Flush returns an error
//	released   atomic      closing is done or CloseTimeout is over  the stream is closed, timers stop,
//	                                                                Close returns
//
// If the peer closes, the order is: over and Ending, answered, closeSent, and released once
// the answer is written. If this side closes (Close) or fails (fail): closeSent and over, in
// either order, then answered or a timeout, then released. If a read fails: over and Ending,
// then released. If a write fails: broken, and the reader then has lastWords to find the cause.
//
// # Idle
//
// A waiting connection holds no buffers. On a socket, the read buffer is taken
// from a pool once the system reports that bytes are available.
package stream
