//go:build race

package stream

// raceEnabled reports that the race detector is on. sync.Pool then drops some values, so
// allocations cannot be counted.
const raceEnabled = true
