//go:build race

package stream

// raceEnabled: sync.Pool drops some of what it is given then, so that allocations cannot be
// counted.
const raceEnabled = true
