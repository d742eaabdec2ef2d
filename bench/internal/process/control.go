package process

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"sync/atomic"

	"github.com/isosocket/isosocket/bench/internal/latency"
)

// Control is the measured process's end of the control connection.
type Control struct {
	Task Task

	failure atomic.Pointer[string]

	mu         sync.Mutex
	histograms []*latency.Histogram
	earlier    latency.Counts
	broadcast  func(rounds int) error
}

// Fail records an unexpected failure of a connection. Every sample carries the first failure.
func (c *Control) Fail(err error) {
	s := err.Error()
	c.failure.CompareAndSwap(nil, &s)
}

// Histogram returns a histogram whose quantiles the samples carry.
func (c *Control) Histogram() *latency.Histogram {
	h := new(latency.Histogram)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.histograms = append(c.histograms, h)
	return h
}

// OnBroadcast sets the function that sends to all connections, a given number of times.
func (c *Control) OnBroadcast(f func(rounds int) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broadcast = f
}

type request struct {
	Op     string
	Rounds int
}

// ready is the first line that a measured process writes.
type ready struct{ Address, Error string }

// Run calls start, reports the address on which it listens, and answers requests until the other
// end closes the connection.
func (c *Control) Run(start func() (address string, err error)) error {
	out := json.NewEncoder(os.Stdout)
	address, err := start()
	if err != nil {
		return errors.Join(err, out.Encode(ready{Error: err.Error()}))
	}
	if err := out.Encode(ready{Address: address}); err != nil {
		return err
	}
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var r request
		if err := in.Decode(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("control connection: %w", err)
		}
		s, err := c.answer(&r)
		if err != nil {
			s.Error = err.Error()
		} else if f := c.failure.Load(); f != nil {
			s.Error = *f
		}
		if err := out.Encode(s); err != nil {
			return err
		}
	}
}

func (c *Control) answer(r *request) (Sample, error) {
	switch r.Op {
	case "begin":
		if c.Task.Profile != "" {
			f, err := os.Create(c.Task.Profile)
			if err != nil {
				return Sample{}, err
			}
			if err := pprof.StartCPUProfile(f); err != nil {
				return Sample{}, err
			}
		}
		c.earlier = c.counts()
		return readSample(true)
	case "end":
		s, err := readSample(false)
		if c.Task.Profile != "" {
			pprof.StopCPUProfile()
		}
		now := c.counts()
		now.Sub(&c.earlier)
		s.P50, s.P99 = now.Quantile(0.5), now.Quantile(0.99)
		return s, err
	case "collect":
		// The second call frees objects that finalizers or pools hold.
		debug.FreeOSMemory()
		debug.FreeOSMemory()
		if err := resetPeak(); err != nil {
			return Sample{}, err
		}
		if c.Task.Profile != "" {
			if err := writeHeapProfile(c.Task.Profile); err != nil {
				return Sample{}, err
			}
		}
		return readSample(true)
	case "broadcast":
		c.mu.Lock()
		f := c.broadcast
		c.mu.Unlock()
		if f == nil {
			return Sample{}, errors.New("this process does not broadcast")
		}
		if err := f(r.Rounds); err != nil {
			return Sample{}, err
		}
		return readSample(false)
	}
	return Sample{}, fmt.Errorf("unknown request %q", r.Op)
}

// writeHeapProfile overwrites an earlier profile.
func writeHeapProfile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.Lookup("heap").WriteTo(f, 0); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func (c *Control) counts() latency.Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum latency.Counts
	for _, h := range c.histograms {
		sum.Add(h)
	}
	return sum
}
