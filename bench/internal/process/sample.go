package process

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// Sample holds the resources that a process has used at one moment.
type Sample struct {
	CPU     time.Duration // user and system time so far
	Mallocs uint64        // heap objects allocated so far
	Alloc   uint64        // heap bytes allocated so far
	RSS     int64         // bytes resident now
	Heap    uint64        // of these, in heap objects
	Stacks  uint64        // of these, in goroutine stacks
	Peak    int64         // the most bytes resident since the last reset
	P50     time.Duration // of the round trips of a client since the last begin
	P99     time.Duration
	Error   string // the first error on a connection, or ""
}

// readSample samples this process. A sample at the start of a window reads the processor time
// last, and one at the end reads it first, to exclude the cost of sampling.
func readSample(begin bool) (Sample, error) {
	var s Sample
	var err error
	if !begin {
		s.CPU = cpuTime()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.Mallocs, s.Alloc = m.Mallocs, m.TotalAlloc
	s.Heap, s.Stacks = m.HeapAlloc, m.StackInuse
	s.RSS, s.Peak, err = resident()
	if begin {
		s.CPU = cpuTime()
	}
	return s, err
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func resident() (rss, peak int64, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(status) {
		f := bytes.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(string(f[1]), 10, 64)
		switch string(f[0]) {
		case "VmRSS:":
			rss = n << 10
		case "VmHWM:":
			peak = n << 10
		}
	}
	return rss, peak, nil
}

// resetPeak sets the peak of resident memory to its current value (proc(5), clear_refs).
func resetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
