package load

import (
	"sync/atomic"
	"time"
)

// counter counts what one connection did. It has cache lines of its own, since
// every connection counts all the time.
type counter struct {
	_        [64]byte
	messages atomic.Int64
	bytes    atomic.Int64
	_        [48]byte
}

// add is for the one goroutine that counts.
func (c *counter) add(messages, bytes int) {
	c.messages.Store(c.messages.Load() + int64(messages))
	c.bytes.Store(c.bytes.Load() + int64(bytes))
}

// Count is what all connections did up to a moment.
type Count struct {
	At       time.Time
	Messages int64
	Bytes    int64 // that the measured side sent
}

// Since returns what was done, and in what time, since an earlier moment.
func (c Count) Since(earlier Count) (messages, bytes int64, took time.Duration) {
	return c.Messages - earlier.Messages, c.Bytes - earlier.Bytes, c.At.Sub(earlier.At)
}
