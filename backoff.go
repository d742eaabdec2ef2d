package isosocket

import (
	"math/rand/v2"
	"time"
)

// backoff decides how long to wait before an attempt: exponential, with full
// jitter. A random time from nothing up to the bound spreads clients that lost
// their server at the same moment best; a bound that doubles keeps them from
// being a load on a server that does not come back.
type backoff struct {
	base, limit time.Duration
	random      func() float64 // from [0, 1)
}

// wait returns the time to wait after so many waits in a row.
func (b *backoff) wait(waits int) time.Duration {
	bound := b.base
	for ; waits > 0 && bound < b.limit; waits-- {
		bound *= 2
	}
	random := b.random
	if random == nil {
		random = rand.Float64
	}
	return time.Duration(random() * float64(min(bound, b.limit)))
}
