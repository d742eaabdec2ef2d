package load

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/bench/internal/latency"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Openings opens and closes connections as fast as it can.
type Openings struct {
	dialer   *wire.Dialer
	counters []counter
	times    []latency.Histogram
	timing   atomic.Bool
	closing  atomic.Bool
	failure  atomic.Pointer[error]
	done     sync.WaitGroup
}

// OpenRepeatedly starts to open connections to address over network, several at a time.
func OpenRepeatedly(network wire.Network, address string, workers int) *Openings {
	o := &Openings{dialer: wire.NewDialer(network, address), counters: make([]counter, workers), times: make([]latency.Histogram, workers)}
	for i := range workers {
		o.done.Go(func() {
			for !o.closing.Load() {
				start := time.Now()
				conn, _, _, err := o.dialer.Dial("")
				if err != nil {
					o.failure.CompareAndSwap(nil, &err)
					return
				}
				if o.timing.Load() {
					o.times[i].Record(time.Since(start))
				}
				conn.Close()
				o.counters[i].add(1, 0)
			}
		})
	}
	return o
}

// Count returns the number of connections opened so far, as messages.
func (o *Openings) Count() Count {
	var sum Count
	for i := range o.counters {
		sum.Messages += o.counters[i].messages.Load()
	}
	sum.At = time.Now()
	return sum
}

// Time switches the timing of handshakes on or off.
func (o *Openings) Time(on bool) { o.timing.Store(on) }

// Times returns the durations of the timed handshakes.
func (o *Openings) Times() *latency.Counts {
	sum := new(latency.Counts)
	for i := range o.times {
		sum.Add(&o.times[i])
	}
	return sum
}

// Err returns the first error, or nil.
func (o *Openings) Err() error {
	if err := o.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close stops and waits for the handshakes in progress.
func (o *Openings) Close() {
	o.closing.Store(true)
	o.done.Wait()
	o.dialer.Close()
}
