package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// resident returns the memory of this process that is in RAM, in bytes.
func resident() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/self/statm is %q", text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// descriptors returns the number of open descriptors of this process.
func descriptors() (int, error) {
	folder, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	return len(names) - 1, err // without that of the folder
}

// loadAverage returns the load average of the machine over the last minute.
func loadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}

// descriptorLimit returns how many descriptors a process may have open, and how many it could ask
// for.
func descriptorLimit() (soft, hard uint64, err error) {
	var limit syscall.Rlimit
	err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit.Cur, limit.Max, err
}
