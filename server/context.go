//go:build !js

package server

import (
	"context"
	"sync/atomic"

	"github.com/isosocket/isosocket/ws"
)

// connContext is the context that a Handler's function gets: it ends when the
// connection does. The standard library's contexts are only made for it once
// somebody waits for it or derives from it; most connections of a server just
// pass it to Receive, where it costs next to nothing.
type connContext struct {
	context.Context            // the request's, for its values; it does not end
	ending          *ws.Ending // the connection's
	made            atomic.Pointer[context.Context]
}

// Err implements [context.Context].
func (c *connContext) Err() error {
	if made := c.made.Load(); made != nil {
		return (*made).Err()
	}
	if c.ending.Cause() != nil {
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
	// Package context asks with a key of its own for what it made: to derive from
	// it, and for its Cause.
	return c.cancelable().Value(key)
}

// cancelable returns the context that package context knows how to derive from.
func (c *connContext) cancelable() context.Context {
	if made := c.made.Load(); made != nil {
		return *made
	}
	ctx, cancel := context.WithCancelCause(c.Context)
	if !c.made.CompareAndSwap(nil, &ctx) {
		cancel(nil)
		return *c.made.Load()
	}
	c.ending.Notify(func() { cancel(c.ending.Cause()) })
	return ctx
}
