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

// Arrivals counts the bytes that ever came: the relay does without Go, and the
// browser reads even while nobody receives.
func (s *socket) Arrivals() (n uint64, listening bool) {
	came, _ := s.in.relay.Total()
	return uint64(came), true
}

// patience is how long bytes have to be queued before they count as waiting. A browser
// takes some time to hand over even what the system has room for.
const patience = 50 * time.Millisecond

// backlog finds out whether bytes wait until the peer takes what is before them.
type backlog struct {
	at    time.Time
	given uint64 // outbound.given at that time
}

// waits reports, of given bytes of which gone have left the browser, whether some have been
// waiting since the last call or longer. The browser and the system have buffers that
// a peer which takes nothing leaves room in at first, and bytes that leave into those say
// nothing about it.
func (b *backlog) waits(now time.Time, given, gone uint64) bool {
	waits := gone < b.given && now.Sub(b.at) >= patience
	if now.Sub(b.at) >= patience {
		b.at, b.given = now, given
	}
	return waits
}

// Departures counts the bytes that have left the browser.
func (s *socket) Departures() (n uint64, waiting bool) {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.measure() != nil {
		return 0, false
	}
	gone := o.given - uint64(o.queued)
	return gone, o.backlog.waits(time.Now(), o.given, gone)
}
