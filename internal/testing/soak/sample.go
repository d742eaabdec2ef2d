//go:build !js

package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// sample is what a process holds at a time.
type sample struct {
	// At is the time since the measurement began.
	At time.Duration `json:",omitempty"`
	// Resident is the memory of the process in RAM, in bytes, after all free memory was returned to
	// the system. Otherwise it depends most on when the garbage was last collected.
	Resident int64
	// Heap is the size of the objects that a garbage collection found in use, in bytes.
	Heap int64
	// Goroutines and Descriptors are how many there are.
	Goroutines, Descriptors int
}

// measure measures this process.
func measure() (s sample, err error) {
	s.Goroutines = runtime.NumGoroutine()
	if s.Descriptors, err = descriptors(); err != nil {
		return s, err
	}
	runtime.GC()
	debug.FreeOSMemory() // collects, too: what pools hold survives one collection
	if s.Resident, err = resident(); err != nil {
		return s, err
	}
	// Not MemStats.HeapAlloc, to which all other goroutines add from the collection on.
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	s.Heap = int64(live[0].Value.Uint64())
	return s, nil
}
