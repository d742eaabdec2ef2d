//go:build !js

package server

import "time"

// ParkAfter makes the connections of an endpoint made by Messages park sooner. Call it
// before the first connection.
func (e *Endpoint) ParkAfter(d time.Duration) { e.acceptor.parks.interval = d }

// Active returns the number of connections of an endpoint made by Messages that have a goroutine.
func (e *Endpoint) Active() int {
	p := e.acceptor.parks
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.active)
}

// MadeContexts returns the number of connections for which the standard library made a context.
func (e *Endpoint) MadeContexts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, ctx := range e.conns {
		if ctx.made.Load() != nil {
			n++
		}
	}
	return n
}
