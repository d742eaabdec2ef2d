//go:build !js

package server

import (
	"context"
	"sync/atomic"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/stream"
)

// connContext is the context of a Handler's function. It ends when the connection does, or
// when a Drain reaches the connection. A context of the standard library is created only
// when a goroutine waits for it or derives from it. Most functions only pass it to Receive,
// where it costs almost nothing.
type connContext struct {
	context.Context                   // the request's, for its values; it does not end
	transport       *stream.Transport // the connection's; nil before the handshake
	conn            *Conn             // the same
	drained         atomic.Pointer[errors.ConnectionClosed]
	made            atomic.Pointer[madeContext]
	traffic         stream.Traffic
	loop            atomic.Pointer[messageLoop] // of an endpoint made by Messages
	silent          atomic.Bool                 // the loop is to be parked
}

// madeContext is the context that the standard library created for a connContext.
type madeContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// cause returns why the context has ended, nil if it has not.
func (c *connContext) cause() *errors.ConnectionClosed {
	if drained := c.drained.Load(); drained != nil {
		return drained
	}
	return c.transport.Ending().Cause()
}

// drain ends the context for a connection that stays open for now.
func (c *connContext) drain(cause *errors.ConnectionClosed) {
	c.drained.Store(cause)
	if made := c.made.Load(); made != nil {
		made.cancel(cause)
	}
	c.transport.Interrupt()
	if l := c.loop.Load(); l != nil {
		l.wake()
	}
}

// Err implements [context.Context].
func (c *connContext) Err() error {
	if made := c.made.Load(); made != nil {
		return made.Err()
	}
	if c.cause() != nil {
		return context.Canceled
	}
	return nil
}

// Done implements [context.Context].
func (c *connContext) Done() <-chan struct{} { return c.cancelable().Done() }

// Value implements [context.Context].
func (c *connContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	// Package context uses a key of its own to find the context that it created, to
	// derive from it and for its Cause.
	return c.cancelable().Value(key)
}

// cancelable returns the context that package context knows how to derive from.
func (c *connContext) cancelable() context.Context {
	if made := c.made.Load(); made != nil {
		return made
	}
	ctx, cancel := context.WithCancelCause(c.Context)
	made := &madeContext{ctx, cancel}
	if !c.made.CompareAndSwap(nil, made) {
		cancel(nil)
		return c.made.Load()
	}
	c.transport.Ending().Notify(func() { cancel(c.transport.Ending().Cause()) })
	// drain stores its cause and then looks for made; at least one of the two goroutines
	// sees the other's store.
	if drained := c.drained.Load(); drained != nil {
		cancel(drained)
	}
	return made
}
