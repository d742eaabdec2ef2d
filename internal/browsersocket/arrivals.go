//go:build js

package browsersocket

import "github.com/isosocket/isosocket/ws"

var _ ws.ArrivalCounter = (*socket)(nil)

// Arrivals counts the messages that wait. The browser queues them without Go,
// and reads even while nobody receives.
func (s *socket) Arrivals() (n uint64, listening bool) {
	b := &s.in
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := len(b.batch) - b.next
	if queued, err := b.queue.Length(); err == nil {
		waiting += queued
	}
	return uint64(waiting), true
}
