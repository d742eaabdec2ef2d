package ws

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
}

// Set records cause and reports whether it was the first. The caller may not
// change cause any more.
func (e *Ending) Set(cause *errors.ConnectionClosed) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.cause.CompareAndSwap(nil, cause) {
		return false
	}
	if e.done != nil {
		close(e.done)
	}
	return true
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
