//go:build !js

package server

import (
	"math"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// measureEvery is the shortest time between two measurements of memory.
	measureEvery = 100 * time.Millisecond
	// measureShare bounds the time spent on measurements: at most one part in 50.
	measureShare = 50
)

// memory measures the memory that an endpoint's connections hold. The zero value is ready
// to use, and safe for concurrent use.
type memory struct {
	mu        sync.Mutex
	bytes     int64
	next      time.Time // when to measure again
	measuring bool
}

// pressure is whether memory is left for another connection.
type pressure int

const (
	roomy  pressure = iota
	scarce          // for a connection without compression
	full            // for none
)

// pressure compares the memory that the connections hold with the limit. It repeats the
// measurement from time to time.
func (e *Endpoint) pressure() pressure {
	limit := e.acceptor.limiter.maxMemory
	if limit <= 0 {
		return roomy
	}
	m := &e.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); !m.measuring && !now.Before(m.next) {
		m.measuring = true
		m.mu.Unlock()
		bytes := e.measure()
		m.mu.Lock()
		took := time.Since(now)
		m.bytes, m.measuring, m.next = bytes, false, now.Add(max(measureEvery, took*measureShare))
	}
	switch {
	case m.bytes >= limit:
		return full
	case m.bytes >= limit-limit/4:
		return scarce
	}
	return roomy
}

// measure returns the memory that the connections hold.
func (e *Endpoint) measure() (bytes int64) {
	e.mu.Lock()
	conns := e.open()
	e.mu.Unlock()
	for _, ctx := range conns {
		bytes += int64(ctx.transport.Memory())
	}
	return bytes
}

// standardMemory returns DefaultMaxMemory, or half of the memory limit of the process if
// that is less.
func standardMemory() int64 {
	limit := debug.SetMemoryLimit(-1) // reads the limit
	if limit == math.MaxInt64 {
		return DefaultMaxMemory
	}
	return max(1, min(DefaultMaxMemory, limit/2))
}
