//go:build !js

package server

import (
	"context"
	stderrors "errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// DefaultSpread is 5 seconds.
const DefaultSpread = 5 * time.Second

// DrainOptions configure [Endpoint.Drain]. A nil pointer and the zero value mean every
// default.
type DrainOptions struct {
	// Spread is the time over which connections are ended, one after the other in
	// random order, so that their clients do not reconnect all at once. 0 means
	// [DefaultSpread]; a negative number ends all at once.
	Spread time.Duration

	// Reason and Message are sent when connections are closed. A Reason of 0 means
	// [errors.ServiceRestart], and an empty Message then means "server restarting".
	Reason  errors.CloseReason
	Message string

	// RetryAfter is sent with the 503 that refuses new handshakes, rounded up to
	// seconds. 0 means one second; with a negative number it is not sent.
	RetryAfter time.Duration
}

// withDefaults returns o with its zero fields filled in, or an error that names an invalid
// field.
func (o *DrainOptions) withDefaults() (DrainOptions, error) {
	var d DrainOptions
	if o != nil {
		d = *o
	}
	if d.Spread == 0 {
		d.Spread = DefaultSpread
	}
	if d.RetryAfter == 0 {
		d.RetryAfter = time.Second
	}
	if d.Reason == 0 {
		d.Reason = errors.ServiceRestart
		if d.Message == "" {
			d.Message = "server restarting"
		}
	}
	if err := ws.CheckCloseReason(d.Reason); err != nil {
		return d, fmt.Errorf("websocket: invalid option: DrainOptions.Reason: %w", err)
	}
	return d, nil
}

// DrainError says that a drain was not complete when its context ended.
type DrainError struct {
	// Cut is the number of connections that were still being served, and were cut.
	Cut int
	// Err is the context's error.
	Err error
}

// Error says how many connections were cut.
func (e *DrainError) Error() string {
	connections := "connections were"
	if e.Cut == 1 {
		connections = "connection was"
	}
	return fmt.Sprintf("websocket: drain: %d %s cut: %v", e.Cut, connections, e.Err)
}

// Unwrap returns Err.
func (e *DrainError) Unwrap() error { return e.Err }

// Is reports whether target is [errors.ErrWebSocket].
func (e *DrainError) Is(target error) bool { return target == errors.ErrWebSocket }

// Drain ends the endpoint without interrupting its functions. New requests are
// refused with 503. For each connection, at a random time within DrainOptions.Spread,
// the function's ctx ends; its [context.Cause] is a [*errors.ConnectionClosed] with
// DrainOptions.Reason. The connection stays open, so that a function can finish its
// work and send the result. When it returns nil or the context's error, the connection
// is closed with that reason.
//
// Drain waits until all functions have returned. If ctx ends first, it cuts the
// remaining connections, as [ws.Conn.CloseNow] does, with the same reason, and
// returns a [*DrainError]. A function that does not use its ctx runs until then.
// A Shutdown during a Drain closes the remaining connections at once.
func (e *Endpoint) Drain(ctx context.Context, o *DrainOptions) error {
	d, err := o.withDefaults()
	if err != nil {
		return err
	}
	cause := &errors.ConnectionClosed{Reason: d.Reason, Message: d.Message}
	e.mu.Lock()
	e.stop(&stopping{cause, d.RetryAfter})
	conns := e.open()
	e.mu.Unlock()
	rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })

	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i, c := range conns {
		if due := d.Spread * time.Duration(i) / time.Duration(len(conns)); d.Spread > 0 && due > time.Since(began) {
			timer.Reset(due - time.Since(began))
			select {
			case <-timer.C:
			case <-e.idle:
				return nil
			case <-ctx.Done():
				return e.cut(ctx, cause)
			}
		}
		c.drain(cause)
		conns[i] = nil // its memory is free once it has ended
	}
	if e.awaitIdle(ctx) {
		return nil
	}
	return e.cut(ctx, cause)
}

// cut ends the connections that remain when a drain's context has ended.
func (e *Endpoint) cut(ctx context.Context, cause *errors.ConnectionClosed) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.conns)
	if n == 0 && e.pending == 0 {
		return nil
	}
	for conn := range e.conns {
		conn.CloseNow(cause.Reason, cause.Message)
	}
	return &DrainError{Cut: n, Err: ctx.Err()}
}

// Stop stops a server with its endpoints: it drains all endpoints at the same time, and
// then shuts s down, which waits for other requests. While Stop drains, s still accepts
// connections: it refuses handshakes with 503 and serves all other requests. If ctx ends
// first, the connections of the endpoints are cut, and those of s are closed. The error
// joins the errors of Drain and [http.Server.Shutdown].
func Stop(ctx context.Context, s *http.Server, o *DrainOptions, endpoints ...*Endpoint) error {
	errs := make([]error, len(endpoints)+1)
	var drains sync.WaitGroup
	for i, e := range endpoints {
		drains.Go(func() { errs[i] = e.Drain(ctx, o) })
	}
	drains.Wait()
	err := s.Shutdown(ctx)
	if err != nil {
		s.Close()
	}
	errs[len(endpoints)] = err
	return stderrors.Join(errs...)
}
