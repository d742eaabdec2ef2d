// Package stream is a driver.Transport over a byte stream: the native engine, for
// clients and servers alike. The frames are package rfc6455's; what is here is
// who reads and who writes, and when.
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
// A connection that nobody receives from must still answer pings and notice
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
// senders share one write.
//
// # Idle
//
// A waiting connection holds no buffers: on a socket the read buffer is taken
// from a pool once the system says that bytes are there.
package stream
