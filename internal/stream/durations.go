package stream

import (
	"sync/atomic"
	"time"
)

// Durations counts durations by how long they are. Many goroutines may add to it at the
// same time.
type Durations struct {
	bounds []time.Duration
	counts []atomic.Uint64 // of those up to each bound and over the one before; the last has no bound
	sum    atomic.Int64
}

// NewDurations returns Durations with the upper bounds, in ascending order.
func NewDurations(bounds ...time.Duration) *Durations {
	return &Durations{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Add counts d.
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

// Counts returns how many durations are up to each bound and over the one before. The
// last count is of those over all bounds.
func (d *Durations) Counts() (counts []uint64, sum time.Duration) {
	counts = make([]uint64, len(d.counts))
	for i := range d.counts {
		counts[i] = d.counts[i].Load()
	}
	return counts, time.Duration(d.sum.Load())
}
