package stream

import (
	"sync/atomic"
	"time"
)

// Durations is a histogram of durations. It is safe for concurrent use.
type Durations struct {
	bounds []time.Duration
	counts []atomic.Uint64 // up to each bound and over the one before; the last has no bound
	sum    atomic.Int64
}

// NewDurations returns Durations with the upper bounds, in ascending order.
func NewDurations(bounds ...time.Duration) *Durations {
	return &Durations{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Add counts duration.
func (d *Durations) Add(duration time.Duration) {
	i := 0
	for i < len(d.bounds) && duration > d.bounds[i] {
		i++
	}
	d.counts[i].Add(1)
	d.sum.Add(int64(duration))
}

// Bounds returns the upper bounds, which must not be changed.
func (d *Durations) Bounds() []time.Duration { return d.bounds }

// Counts returns the number of durations up to each bound and over the one before, and the
// sum of all durations. The last count is the number of durations over all bounds.
func (d *Durations) Counts() (counts []uint64, sum time.Duration) {
	counts = make([]uint64, len(d.counts))
	for i := range d.counts {
		counts[i] = d.counts[i].Load()
	}
	return counts, time.Duration(d.sum.Load())
}
