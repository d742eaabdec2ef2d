//go:build js

package browsersocket

import "github.com/isosocket/isosocket/ws"

var _ ws.ArrivalCounter = (*socket)(nil)

// Arrivals counts the bytes that ever came: the relay does without Go, and the
// browser reads even while nobody receives.
func (s *socket) Arrivals() (n uint64, listening bool) {
	came, _ := s.in.relay.Total()
	return uint64(came), true
}
