package netconn

import (
	"context"
	"sync"
	"time"
)

// deadline is a context whose end can be moved, also while a call waits with
// it. The zero value never ends.
type deadline struct {
	mu     sync.Mutex
	ctx    context.Context // nil until first used
	cancel context.CancelFunc
	timer  *time.Timer
}

// context returns the context that ends when the deadline passes.
func (d *deadline) context() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.prepare()
	return d.ctx
}

// prepare makes a context if there is none. Called with mu held.
func (d *deadline) prepare() {
	if d.ctx == nil {
		d.ctx, d.cancel = context.WithCancel(context.Background())
	}
}

// set moves the deadline to t; the zero time means none.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	// A timer that has fired ends its context, now or soon.
	if passed := !d.stopTimer(); passed || d.ctx != nil && d.ctx.Err() != nil {
		d.ctx = nil
	}
	d.prepare()
	if t.IsZero() {
		return
	}
	if wait := time.Until(t); wait > 0 {
		d.timer = time.AfterFunc(wait, d.cancel)
	} else {
		d.cancel()
	}
}

// stop releases the timer of a connection that was closed.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopTimer()
}

// stopTimer reports whether there is no timer that has fired.
func (d *deadline) stopTimer() bool {
	timer := d.timer
	d.timer = nil
	return timer == nil || timer.Stop()
}
