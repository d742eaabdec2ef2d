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

// spin notices a loop that asks for messages without ever letting JavaScript
// run, in which none would ever arrive. It gives the event loop a turn every
// so often.
type spin struct {
	calls int
	since time.Time
}

// call is called for every try that found nothing.
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
