//go:build !js

package server

import "time"

// ParkAfter makes connections of an endpoint that was made by Messages park sooner. Call it
// before any connection.
func (e *Endpoint) ParkAfter(d time.Duration) { e.acceptor.parks.interval = d }

// Active returns how many connections of such an endpoint have a goroutine.
func (e *Endpoint) Active() int {
	p := e.acceptor.parks
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.active)
}
