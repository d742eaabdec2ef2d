package load

import (
	"sync/atomic"
	"time"
)

// counter counts the messages of one connection. It has its own cache lines, because every
// connection counts all the time.
type counter struct {
	_        [64]byte
	messages atomic.Int64
	bytes    atomic.Int64
	_        [48]byte
}

// Only one goroutine may call add.
func (c *counter) add(messages, bytes int) {
	c.messages.Store(c.messages.Load() + int64(messages))
	c.bytes.Store(c.bytes.Load() + int64(bytes))
}

// Count is the sum of all connections at one moment.
type Count struct {
	At       time.Time
	Messages int64
	Bytes    int64 // sent by the measured side
}

// Since returns the difference to an earlier moment, and the time between them.
func (c Count) Since(earlier Count) (messages, bytes int64, took time.Duration) {
	return c.Messages - earlier.Messages, c.Bytes - earlier.Bytes, c.At.Sub(earlier.At)
}
