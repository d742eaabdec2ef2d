//go:build !js

package main

import (
	"runtime"
	"time"
)

// sample is what a process holds at a time.
type sample struct {
	// At is the time since the measurement began.
	At time.Duration `json:",omitempty"`
	// Resident is the memory of the process in RAM, in bytes.
	Resident int64
	// Heap is the size of all objects after a garbage collection, in bytes; 0 if there was none.
	Heap int64 `json:",omitempty"`
	// Goroutines and Descriptors are how many there are.
	Goroutines, Descriptors int
}

// measure measures this process. With collect it also collects the garbage and measures the heap.
func measure(collect bool) (s sample, err error) {
	if s.Resident, err = resident(); err != nil {
		return s, err
	}
	if s.Descriptors, err = descriptors(); err != nil {
		return s, err
	}
	s.Goroutines = runtime.NumGoroutine()
	if collect {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools hold survives the first one
		runtime.ReadMemStats(&m)
		s.Heap = int64(m.HeapAlloc)
	}
	return s, nil
}
