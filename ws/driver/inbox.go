package driver

import (
	"context"
	"io"
	"sync"
)

// messageOverhead is the number of bytes that a queued message counts in addition to
// its data. With it, a flood of empty messages fills an Inbox too.
const messageOverhead = 32

// Inbox is a queue of received messages: a transport that gets its messages from a
// callback or another goroutine pushes them here, and Receive pulls them. The zero
// value is empty and ready to use. Any goroutine may push; one goroutine at a time may
// pull.
type Inbox struct {
	mu    sync.Mutex
	queue []Message
	bytes int
	head  uint32 // queue[:head] has been pulled
	ended bool
	ready chan struct{} // made by a puller that has to wait, closed to wake it
}

// Push appends m. Its memory then belongs to the goroutine that pulls it. After End,
// Push does nothing.
func (b *Inbox) Push(m Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.queue = append(b.queue, m)
	b.bytes += len(m.Data) + messageOverhead
	b.wake()
}

// End says that nothing more will be pushed.
func (b *Inbox) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.wake()
}

func (b *Inbox) wake() {
	if b.ready != nil {
		close(b.ready)
		b.ready = nil
	}
}

// Pull returns the oldest message. If there is none, ok is false, and err is
// [io.EOF] if none will come.
func (b *Inbox) Pull() (m Message, ok bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pull()
}

func (b *Inbox) pull() (m Message, ok bool, err error) {
	if int(b.head) == len(b.queue) {
		if b.ended {
			err = io.EOF
		}
		return m, false, err
	}
	m = b.queue[b.head]
	b.queue[b.head] = Message{}
	b.head++
	b.bytes -= len(m.Data) + messageOverhead
	if int(b.head) == len(b.queue) {
		// A connection that has become quiet must not keep the memory of a burst.
		if cap(b.queue) > 64 {
			b.queue = nil
		}
		b.queue, b.head = b.queue[:0], 0
	} else if b.head > 64 && int(b.head) > len(b.queue)/2 {
		n := copy(b.queue, b.queue[b.head:])
		clear(b.queue[n:])
		b.queue, b.head = b.queue[:n], 0
	}
	return m, true, nil
}

// Receive waits for the oldest message. It returns ctx.Err() when ctx ends
// first, and io.EOF when none will come.
func (b *Inbox) Receive(ctx context.Context) (Message, error) {
	for {
		b.mu.Lock()
		m, ok, err := b.pull()
		if ok || err != nil {
			b.mu.Unlock()
			return m, err
		}
		if b.ready == nil {
			b.ready = make(chan struct{})
		}
		ready := b.ready
		b.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

// Bytes returns the size of the queued messages: their data, plus 32 bytes for each.
func (b *Inbox) Bytes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// Clear drops all queued messages.
func (b *Inbox) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue, b.head, b.bytes = nil, 0, 0
}
