// Package stream is a driver.Transport over a byte stream: the native engine, for
// clients and servers alike. Package rfc6455 has the frames; this package
// decides which goroutine reads and writes, and when.
//
// # Reading
//
// Receive reads on the goroutine that calls it: it parses what the last read
// brought, and only then asks the system for more. There is no reader goroutine
// and no channel between the socket and the caller. Whoever reads holds the
// turn (Transport.reading). A context that ends, a Close, or a Receive that
// wants the turn back from a background reader interrupts a read by setting a
// read deadline in the past; the bytes that have come stay where they are, and
// the next reader goes on from there.
//
// A connection on which no Receive waits must still answer pings and notice
// its end. A coarse timer, armed at most once per period and never per
// message, finds it and lends it a background reader, which queues messages in
// an inbox, at most ReceiveBuffer bytes, and gives way to the next Receive.
//
// # Writing
//
// Send appends a frame to an output buffer. If the caller still has unparsed
// input, the frame is left there: the next Send, the Receive that runs out of
// input, or a goroutine that was started for this purpose writes it along with
// its followers. Otherwise it is written at once. Where the stream is a socket
// the write does not block: what the system does not take is left to a flusher
// goroutine, so a Send only ever waits above the high-water mark. Concurrent
// senders share one write. Pings and pongs go ahead of the messages that no goroutine has
// begun to write.
//
// The words of the code: output is deferred while it waits for a later write to take
// it along, and bytes have left once the system has them.
//
// # Locks
//
// There are three: reading, the turn to read; timers, which guards what liveness plans;
// mu, which guards the writer. reading is taken before the others: its holder may take
// timers (a pong) or mu (an answer to a ping). timers and mu are never held together, and
// no goroutine waits for the stream while it holds one of them: a write happens between
// two sections under mu, and the flag writing keeps other goroutines from writing
// meanwhile. Under these three, only the locks of Flushers, of the inbox and of the
// ending are taken, and no lock under those.
//
// # Closing
//
// Each of these is set once and never unset:
//
//	state      guarded by  set when                                then
//	over       reading     the end is decided, or Close was called  no message is parsed any more
//	Ending     itself      the cause is known, before Receive tells  Done is closed, Err has the cause
//	closeSent  mu          a close frame was queued                 nothing is queued after it
//	answered   timers      the peer's close frame has come          Close returns nil
//	broken     mu          a write failed, or release was called    what waits is dropped, sends return
//	lost       mu          something sent did not go out            Flush returns an error
//	released   atomic      the closing is done, or CloseTimeout is  the stream is closed, the timers stop,
//	                       over                                     Close returns
//
// The peer closes: over and Ending, answered, closeSent, and released once the answer is
// written. This side closes (Close) or fails (fail): closeSent and over, in either order,
// then answered or a timeout, then released. The stream breaks in a read: over and Ending,
// released. It breaks in a write: broken, and then the reader has lastWords to find why.
//
// # Idle
//
// A waiting connection holds no buffers: on a socket the read buffer is taken
// from a pool once the system says that bytes are there.
package stream
