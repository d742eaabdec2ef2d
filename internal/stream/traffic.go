package stream

import "sync/atomic"

// Traffic counts what one connection carries, for Options.Traffic. Its zero value is
// ready to use.
//
// What was received is counted by the reader, which has the turn to read for as long as
// it waits. So it counts in fields of its own, and adds these to the atomic ones once it
// has parsed all that it has read: a message of many in one read costs no atomic write.
type Traffic struct {
	// RoundTrips, if not nil, counts the round-trip times of pings. Connections may
	// share one.
	RoundTrips *Durations

	flushers *Flushers // for broadcasts; nil: none

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

// Counts is what a connection has carried.
type Counts struct {
	Messages uint64
	// Data is the size of the messages' data in bytes, before compression.
	Data uint64
	// Stream is how many bytes went through the stream. It includes headers and control
	// frames.
	Stream uint64
}

// Queues is what waits in this process, in bytes.
type Queues struct {
	// Unsent was sent, and has not left.
	Unsent int
	// Unreceived has come, and was not received. Each message counts 32 bytes more than its data.
	Unreceived int
	// Memory is what Transport.Memory returns.
	Memory int
	// Full says that a Send waits for space.
	Full bool
}

// arrive counts n bytes of the stream.
func (f *Traffic) arrive(n int) {
	if f != nil {
		f.arrived.Add(uint64(n))
	}
}

// receive counts a message of n bytes. all says that nothing is left to be parsed. Called
// with the turn.
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

// publish adds what only the reader knows to what others see. Called with the turn.
func (f *Traffic) publish() {
	if f == nil || f.parsed == 0 {
		return
	}
	f.received.Add(uint64(f.parsed))
	f.receivedData.Add(uint64(f.parsedData))
	f.parsed, f.parsedData = 0, 0
}

// Traffic returns what has been received and sent, and what waits, for a Transport with
// Options.Traffic. It may be called at any time. Of the messages that came in one read,
// those that were parsed count when the last was, and no later than the next read.
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

// FinalTraffic is Traffic after the end. It waits for a read that is under way.
func (t *Transport) FinalTraffic() (received, sent Counts) {
	t.reading.Lock()
	t.traffic.publish()
	t.reading.Unlock()
	received, sent, _ = t.Traffic()
	return received, sent
}
