//go:build race

package rfc6455

// raceEnabled: sync.Pool drops some of what it is given then, so that allocations cannot be
// counted.
const raceEnabled = true
