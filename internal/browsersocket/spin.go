//go:build js

package browsersocket

import (
	"time"

	"github.com/isosocket/isosocket/internal/jscall"
)

const (
	spinCalls = 128
	spinTime  = 50 * time.Millisecond
)

// spin detects a loop that asks for messages without ever letting JavaScript run. No
// message could arrive then, so spin lets the event loop run from time to time.
type spin struct {
	calls int
	since time.Time
}

// call counts a TryReceive that found no message.
func (s *spin) call() {
	if s.calls++; s.calls < spinCalls {
		return
	}
	// A program that tries once a frame, from a callback that may not wait, is
	// much slower than that.
	if time.Since(s.since) < spinTime && !jscall.InCallback() {
		time.Sleep(time.Millisecond)
	}
	s.calls, s.since = 0, time.Now()
}
