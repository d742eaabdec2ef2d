package stream

import "sync/atomic"

// Traffic counts the messages and bytes of one connection, for Options.Traffic. The zero
// value is ready to use.
//
// The reader counts received messages. It holds the turn to read as long as it waits, so it
// counts in fields of its own, and adds these to the atomic fields once it has parsed all
// its input. If one read returns many messages, not every message costs an atomic write.
type Traffic struct {
	// RoundTrips, if not nil, counts the round-trip times of pings. Connections may
	// share one.
	RoundTrips *Durations

	flushers *Flushers // for broadcasts; nil if none

	received     atomic.Uint64 // messages
	receivedData atomic.Uint64 // bytes of their data
	arrived      atomic.Uint64 // bytes of the stream
	held         atomic.Int64  // bytes that the decoder holds
	parsed       uint32        // messages that received lacks; guarded by reader.reading
	parsedData   uint32        // bytes that receivedData lacks; guarded by reader.reading

	// Guarded by writer.mu.
	sent     uint64 // messages
	sentData uint64 // bytes of their data
	departed uint64 // bytes of the stream
}

// Counts are the totals of one direction of a connection.
type Counts struct {
	Messages uint64
	// Data is the size of the messages' data in bytes, before compression.
	Data uint64
	// Stream is the number of bytes on the stream, including headers and control frames.
	Stream uint64
}

// Queues are the sizes of the queues in this process, in bytes.
type Queues struct {
	// Unsent is the size of output that was sent and has not left.
	Unsent int
	// Unreceived is the size of messages that arrived and were not received. Each message
	// counts 32 bytes more than its data.
	Unreceived int
	// Memory is the result of Transport.Memory.
	Memory int
	// Full reports that a Send would wait for space.
	Full bool
}

// arrive counts n bytes of the stream.
func (f *Traffic) arrive(n int) {
	if f != nil {
		f.arrived.Add(uint64(n))
	}
}

// receive counts a message of n bytes. all reports that all input was parsed. Called with
// the turn.
func (f *Traffic) receive(n int, all bool) {
	if f == nil {
		return
	}
	if uint64(n) > 1<<30 {
		f.receivedData.Add(uint64(n))
		n = 0
	}
	f.parsed++
	f.parsedData += uint32(n)
	if all || f.parsedData > 1<<30 {
		f.publish()
	}
}

// publish adds the reader's own counts to the atomic ones. Called with the turn.
func (f *Traffic) publish() {
	if f == nil || f.parsed == 0 {
		return
	}
	f.received.Add(uint64(f.parsed))
	f.receivedData.Add(uint64(f.parsedData))
	f.parsed, f.parsedData = 0, 0
}

// Traffic returns the totals received and sent, and the sizes of the queues, for a Transport
// with Options.Traffic. It may be called at any time. The messages of one read are counted
// when the last of them is parsed, and no later than the next read.
func (t *Transport) Traffic() (received, sent Counts, waiting Queues) {
	f := t.traffic
	received = Counts{f.received.Load(), f.receivedData.Load(), f.arrived.Load()}
	waiting.Unreceived = t.inbox.Bytes()
	t.mu.Lock()
	defer t.mu.Unlock()
	waiting.Unsent = t.queued()
	waiting.Memory = waiting.Unreceived + int(f.held.Load()) + waiting.Unsent + t.encoder.Held()
	waiting.Full = waiting.Unsent >= int(t.highWater)
	return received, Counts{f.sent, f.sentData, f.departed}, waiting
}

// FinalTraffic is like Traffic, for use after the end. It waits for a read that is under way.
func (t *Transport) FinalTraffic() (received, sent Counts) {
	t.reading.Lock()
	t.traffic.publish()
	t.reading.Unlock()
	received, sent, _ = t.Traffic()
	return received, sent
}
