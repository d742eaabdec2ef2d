//go:build !js

package server

import (
	"context"
	"net/http"
	"time"

	"github.com/isosocket/isosocket/errors"
)

// Observer is a set of functions that an [Endpoint] calls when something happens to a
// connection, for traces, metrics and logs. Each may be nil. None is called for a message:
// [Endpoint.Stats] counts messages at a lower cost.
//
// For one connection they are called one after the other, in the order of the fields:
// HandshakeStart, HandshakeEnd and ConnectionStart on the goroutine of ServeHTTP, and
// ConnectionEnd on the goroutine of the connection's function. LimitStruck is called
// before ConnectionEnd, on any goroutine; for a request that is refused because of a limit,
// it is the first. For different connections they are called at the same time.
//
// They may take their time, and call everything but Shutdown, Drain and Stop, which would
// wait for their own call: a slow function delays the handshake or the end of its own
// connection, and so a Shutdown, but no other connection. Only LimitStruck must return at
// once. A panic is logged as one of the connection's function, and the connection
// continues.
type Observer struct {
	// HandshakeStart is called with each request, before it is checked. If the result is
	// not nil, it replaces the request's context, from which it must be derived: for
	// Authorize and ChooseSubprotocol, and, unless Options.Detach is set, for the values of
	// the connection's ctx.
	HandshakeStart func(r *http.Request) context.Context

	// HandshakeEnd is called when r was answered. Its context is that of HandshakeStart.
	HandshakeEnd func(r *http.Request, result HandshakeResult)

	// ConnectionStart is called after an accepted handshake, before the connection's
	// function. ctx has the values that the function's ctx will have. If the result is not
	// nil, it replaces ctx, from which it must be derived, as the source of these values;
	// its end has no effect. r must not be used after the return.
	ConnectionStart func(ctx context.Context, r *http.Request, conn *Conn) context.Context

	// LimitStruck is called when a limit was reached: by conn, or, if conn is nil, by a
	// request. The caller may hold locks of conn: of its
	// methods, only those that return details of the request may be called.
	LimitStruck func(limit Limit, conn *Conn)

	// ConnectionEnd is called when the connection has ended and its function has
	// returned. ctx is that function's ctx. Stats and Len still count the connection as
	// open.
	ConnectionEnd func(ctx context.Context, conn *Conn, result ConnectionResult)
}

// HandshakeResult is how a handshake ended.
type HandshakeResult struct {
	// Status is the HTTP status of the answer: 101 if the handshake was accepted, also over
	// HTTP/2, whose answer on the wire is 200. It is 0 if there was none, because the client was gone, or a function panicked.
	Status int
	// Err says why the handshake was not accepted. Its text may have more than the client
	// received. It has no query and no header of the request, unless the error of Authorize
	// has.
	Err error
	// Probe is true if the request was not a handshake: with it, this library's client, in
	// a browser, asks why a handshake failed. A Status of 200 then means that it would be
	// accepted.
	Probe bool
	// Duration is the time from the call of ServeHTTP.
	Duration time.Duration
}

// ConnectionResult is how a connection ended, and its traffic.
type ConnectionResult struct {
	// Closed is why the connection ended, and which side has ended it. It must not be
	// changed.
	Closed *errors.ConnectionClosed
	// Failure is why the connection's function failed: an error that the Logger gets, or a
	// panic. It is nil if the function did not fail.
	Failure error
	// Duration is the time from the handshake to the end.
	Duration time.Duration
	// Received and Sent are the connection's traffic.
	Received, Sent Traffic
}

// handshakeStart returns r, with the observer's context.
func (o *Observer) handshakeStart(r *http.Request) *http.Request {
	if o == nil || o.HandshakeStart == nil {
		return r
	}
	if ctx := o.HandshakeStart(r); ctx != nil {
		return r.WithContext(ctx)
	}
	return r
}

// handshakeEnded counts a handshake that began at began, and notifies the observer. An
// accepted handshake is counted later, as a connection.
func (e *Endpoint) handshakeEnded(r *http.Request, began time.Time, status int, err error) {
	took, probe := time.Since(began), false
	if status == http.StatusSwitchingProtocols {
		e.tally.handshakeTimes.Add(took)
	} else {
		_, probe = probed(r)
		e.mu.Lock()
		e.tally.refuse(status, probe)
		e.mu.Unlock()
	}
	o := e.acceptor.Observer
	if o == nil || o.HandshakeEnd == nil {
		return
	}
	defer e.observed(r.Context(), r.RemoteAddr, r.URL.Path)
	o.HandshakeEnd(r, HandshakeResult{Status: status, Err: err, Probe: probe, Duration: took})
}

// connectionStarted notifies the observer of conn, and stores the observer's context in ctx.
func (e *Endpoint) connectionStarted(ctx *connContext, r *http.Request, conn *Conn) {
	o := e.acceptor.Observer
	if o == nil || o.ConnectionStart == nil {
		return
	}
	defer e.observed(ctx.Context, r.RemoteAddr, r.URL.Path)
	if values := o.ConnectionStart(ctx.Context, r, conn); values != nil {
		ctx.Context = context.WithoutCancel(values)
	}
}

// limitObserved notifies the observer that a limit was reached.
func (e *Endpoint) limitObserved(limit Limit, conn *Conn, remote, path string) {
	o := e.acceptor.Observer
	if o == nil || o.LimitStruck == nil {
		return
	}
	defer e.observed(context.Background(), remote, path)
	o.LimitStruck(limit, conn)
}

// connectionEnded notifies the observer that conn has ended.
func (e *Endpoint) connectionEnded(ctx *connContext, conn *Conn, r *ConnectionResult) {
	o := e.acceptor.Observer
	if o == nil || o.ConnectionEnd == nil {
		return
	}
	defer e.observed(ctx, conn.RemoteAddr(), conn.URL().Path)
	o.ConnectionEnd(ctx, conn, *r)
}

// observed is deferred around a call of the observer, whose panic must not leak a
// connection.
func (e *Endpoint) observed(ctx context.Context, remote, path string) {
	if v := recover(); v != nil {
		e.logPanic(ctx, "observer", remote, path, v)
	}
}
