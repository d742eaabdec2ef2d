// Package latency records durations in little memory, to within 3 %.
package latency

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	fraction = 5 // bits kept after the leading one
	buckets  = (64 - fraction + 1) << fraction
)

// Histogram counts durations in logarithmic buckets. Its zero value is empty.
// One goroutine may record while others merge it.
type Histogram struct{ counts [buckets]atomic.Uint32 }

// Record counts d.
func (h *Histogram) Record(d time.Duration) {
	// Only one goroutine records, so load and store are enough; the atomics are for readers.
	c := &h.counts[index(d)]
	c.Store(c.Load() + 1)
}

func index(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < 1<<fraction {
		return int(n)
	}
	exponent := bits.Len64(n) - 1 - fraction
	return exponent<<fraction + int(n>>exponent)
}

func value(i int) time.Duration {
	if i < 1<<(fraction+1) {
		return time.Duration(i)
	}
	exponent := i>>fraction - 1
	return time.Duration(uint64(i-exponent<<fraction)<<exponent + 1<<exponent/2)
}

// Counts is a Histogram at one moment, or the sum of several.
type Counts [buckets]uint64

// Add adds the counts of h.
func (c *Counts) Add(h *Histogram) {
	for i := range h.counts {
		c[i] += uint64(h.counts[i].Load())
	}
}

// Sub subtracts the counts of an earlier moment.
func (c *Counts) Sub(earlier *Counts) {
	for i := range c {
		c[i] -= earlier[i]
	}
}

// Quantile returns the duration that a share q of all durations does not exceed, or 0 if there
// are none.
func (c *Counts) Quantile(q float64) time.Duration {
	var total uint64
	for _, n := range c {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total-1))
	for i, n := range c {
		if rank < n {
			return value(i)
		}
		rank -= n
	}
	return 0
}
