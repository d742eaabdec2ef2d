//go:build js

package browsersocket

import (
	"time"

	"github.com/isosocket/isosocket/ws/driver"
)

var (
	_ driver.ArrivalCounter   = (*socket)(nil)
	_ driver.DepartureCounter = (*socket)(nil)
)

// Arrivals returns the number of bytes that have arrived in total. The relay counts them without
// Go, and the browser reads even while the program does not receive.
func (s *socket) Arrivals() (n uint64, listening bool) {
	came, _ := s.in.relay.Total()
	return uint64(came), true
}

// patience is how long bytes have to be queued before they count as waiting. A browser
// takes some time to pass bytes on even if the system has space for them.
const patience = 50 * time.Millisecond

// backlog finds out whether bytes wait for the peer to take the bytes before them.
type backlog struct {
	at    time.Time
	given uint64 // outbound.given at that time
}

// waits reports whether some bytes have been waiting since the last call or longer, when
// gone of given bytes have left the browser. The browser and the system have buffers with
// free space at first even if the peer takes nothing, so bytes that move into those
// buffers say nothing about the peer.
func (b *backlog) waits(now time.Time, given, gone uint64) bool {
	waits := gone < b.given && now.Sub(b.at) >= patience
	if now.Sub(b.at) >= patience {
		b.at, b.given = now, given
	}
	return waits
}

// Departures returns the number of bytes that have left the browser. The browser does not
// report the size of the steps in which the system below takes bytes.
func (s *socket) Departures() (n uint64, waiting bool, _ time.Duration) {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.measure() != nil {
		return 0, false, 0
	}
	gone := o.given - uint64(o.queued)
	return gone, o.backlog.waits(time.Now(), o.given, gone), 0
}
