package driver

import (
	"sync"
	"sync/atomic"

	"github.com/isosocket/isosocket/errors"
)

// Ending remembers why a connection ended: the first cause that was set wins.
// Its zero value is a connection that has not ended. All methods may be called
// from many goroutines.
type Ending struct {
	cause atomic.Pointer[errors.ConnectionClosed]
	mu    sync.Mutex
	done  chan struct{} // made by the first Done
	then  func()        // calls the functions passed to Notify
}

// Set records cause and reports whether it was the first. The caller may not
// change cause any more.
func (e *Ending) Set(cause *errors.ConnectionClosed) bool {
	e.mu.Lock()
	if !e.cause.CompareAndSwap(nil, cause) {
		e.mu.Unlock()
		return false
	}
	if e.done != nil {
		close(e.done)
	}
	then := e.then
	e.then = nil
	e.mu.Unlock()
	if then != nil {
		then()
	}
	return true
}

// Notify arranges for f to be called when there is a cause: by the goroutine that sets
// it, or at once if there is one already. f must not block. Several functions are
// called in order. With Notify a program can watch many connections without a goroutine
// for each Done.
func (e *Ending) Notify(f func()) {
	e.mu.Lock()
	if e.cause.Load() != nil {
		e.mu.Unlock()
		f()
		return
	}
	if first := e.then; first != nil {
		e.then = func() { first(); f() }
	} else {
		e.then = f
	}
	e.mu.Unlock()
}

// Cause returns the first cause, nil while there is none.
func (e *Ending) Cause() *errors.ConnectionClosed { return e.cause.Load() }

// Done returns a channel that is closed once there is a cause.
func (e *Ending) Done() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done == nil {
		e.done = make(chan struct{})
		if e.cause.Load() != nil {
			close(e.done)
		}
	}
	return e.done
}
