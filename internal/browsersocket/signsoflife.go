//go:build js

package browsersocket

import "github.com/isosocket/isosocket/ws"

var (
	_ ws.ArrivalCounter   = (*socket)(nil)
	_ ws.DepartureCounter = (*socket)(nil)
)

// Arrivals counts the bytes that ever came: the relay does without Go, and the
// browser reads even while nobody receives.
func (s *socket) Arrivals() (n uint64, listening bool) {
	came, _ := s.in.relay.Total()
	return uint64(came), true
}

// Departures counts the bytes that have left the browser. It has buffers of its own and
// of the system's behind those, so that what waits shows only once they are full.
func (s *socket) Departures() (n uint64, waiting bool) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if s.out.measure() != nil {
		return 0, false
	}
	return s.out.given - uint64(s.out.queued), s.out.queued > 0
}
