//go:build !js

package server

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/stream"
)

// Endpoint is an [http.Handler] that accepts WebSocket connections and runs a
// function for each. [Handler] makes one. All methods may be called by many
// goroutines at the same time.
type Endpoint struct {
	serve   func(ctx context.Context, conn *Conn) error
	refused originLog
	*acceptor

	mu       sync.Mutex
	conns    map[*Conn]struct{}
	pending  int           // handshakes under way
	shutdown bool          // no more of them
	idle     chan struct{} // made by the first Shutdown, closed when nothing is left
}

// Handler returns an http.Handler that accepts WebSocket connections, each
// with [Accept], and calls serve for each of them.
//
// ctx has the values of the request's context. It ends when the connection
// does, for whatever reason, and [context.Cause] is then the
// [*errors.ConnectionClosed]. A Receive with it returns what arrived before.
//
// When serve returns, the connection is closed: with 1000 (normal closure) if
// the error is nil, and with 1011 "internal error" if it is not, or if serve
// panics; the error's text is for Options.Logger, never for the peer. To choose
// the reason, serve returns a [*errors.ConnectionClosed] with a Reason that may
// be sent, and its Message, or an error that is or wraps such an
// [errors.CloseReason]: fmt.Errorf("token expired: %w", errors.CloseReason(4003))
// closes with 4003 and "token expired". All the text around such a reason goes to
// the peer, so wrap it with nothing secret; that of errors.Join does not. If serve has closed the connection itself, or the peer has, that
// stays; returning the error with which Receive told so is the normal way out
// and no failure.
//
// o may be nil. If something in it is invalid, every request is answered with
// 500, and Options.Logger told.
func Handler(serve func(ctx context.Context, conn *Conn) error, o *Options) *Endpoint {
	a := newAcceptor(o)
	a.flushers = new(stream.Flushers)
	return &Endpoint{serve: serve, acceptor: a, conns: make(map[*Conn]struct{})}
}

// ServeHTTP performs the handshake, calls the function that Handler was given,
// and returns when that has returned and the connection is closed; with
// Options.Detach it returns after the handshake, and the function runs on.
// Requests that are no handshakes, or come after Shutdown, are refused.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !e.begin() {
		e.refuseLate(w, r)
		return
	}
	var conn *Conn
	// Also if ChooseSubprotocol or a middleware's Hijack panics.
	defer func() {
		if conn == nil {
			e.end(nil)
		}
	}()
	ctx := &connContext{Context: e.values(r)}
	conn, err := e.accept(w, r, ctx)
	if err != nil {
		e.logRefusal(r, err)
		return
	}
	run := e.run
	if !e.add(conn) {
		run = e.closeLate
	}
	if e.Detach {
		go run(ctx, conn)
	} else {
		run(ctx, conn)
	}
}

// closeLate closes a connection whose handshake was under way when Shutdown
// came.
func (e *Endpoint) closeLate(_ context.Context, conn *Conn) {
	defer e.end(conn)
	conn.Close(errors.GoingAway, shutdownMessage)
}

// values returns a context with what the function's context takes from the
// request. The request's own context ends with the request, or when net/http
// thinks so; a connection's end is what counts here.
func (e *Endpoint) values(r *http.Request) context.Context {
	if !e.Detach {
		return context.WithoutCancel(r.Context())
	}
	ctx := context.Background()
	for _, key := range []any{http.ServerContextKey, http.LocalAddrContextKey} {
		if v := r.Context().Value(key); v != nil {
			ctx = context.WithValue(ctx, key, v)
		}
	}
	return ctx
}

// refuseLate answers a request that comes after Shutdown.
func (e *Endpoint) refuseLate(w http.ResponseWriter, r *http.Request) {
	origin, err := checkOrigin(r, e.origins)
	if err != nil {
		origin = ""
	}
	f := refuse(http.StatusServiceUnavailable, "This WebSocket endpoint is shutting down.")
	_, f.probed = probed(r)
	f.answer(w, r, origin)
}

// run is all that stays of a handler for the life of a connection.
func (e *Endpoint) run(ctx context.Context, conn *Conn) {
	defer e.end(conn)
	reason, message := errors.InternalError, "internal error"
	// Also if serve ends the goroutine with runtime.Goexit.
	defer func() { conn.Close(reason, message) }()
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler {
			e.logPanic(ctx, conn, v)
		}
	}()
	reason, message = e.outcome(conn, e.serve(ctx, conn))
}

// outcome says with what to close after serve returned err.
func (e *Endpoint) outcome(conn *Conn, err error) (errors.CloseReason, string) {
	if err == nil {
		return errors.NormalClosure, ""
	}
	if ended := conn.Err(); ended != nil && (errors.Is(err, ended) || errors.Is(err, context.Canceled)) {
		return errors.NormalClosure, "" // without effect
	}
	if reason, message, ok := chosenReason(err); ok {
		return reason, message
	}
	if e.Logger != nil {
		e.Logger.Error("websocket: handler failed", "error", err, "remote", conn.RemoteAddr(), "path", conn.URL().Path)
	}
	return errors.InternalError, "internal error"
}

// chosenReason returns the reason and the message that a function's error says
// the connection is to be closed with, if it does.
func chosenReason(err error) (errors.CloseReason, string, bool) {
	// With Remote it is how another connection ended, and not the function's choice.
	if closed, ok := errors.AsType[*errors.ConnectionClosed](err); ok {
		return closed.Reason, closed.Message, !closed.Remote && closed.Reason.Sendable()
	}
	reason, ok := errors.AsType[errors.CloseReason](err)
	if !ok || !reason.Sendable() {
		return 0, "", false
	}
	return reason, wrappedText(err, reason), true
}

// wrappedText returns the text that was wrapped around reason alone. An error
// that joins several causes may hold the text of another one.
func wrappedText(err error, reason errors.CloseReason) string {
	for cause := err; cause != error(reason); {
		wrapper, ok := cause.(interface{ Unwrap() error })
		if !ok {
			return ""
		}
		cause = wrapper.Unwrap()
	}
	text := err.Error()
	if before, ok := strings.CutSuffix(text, ": "+reason.Error()); ok {
		return before
	}
	if after, ok := strings.CutPrefix(text, reason.Error()+": "); ok {
		return after
	}
	return ""
}

func (e *Endpoint) logPanic(ctx context.Context, conn *Conn, v any) {
	stack := debug.Stack()
	if e.Logger != nil {
		e.Logger.Error("websocket: handler panicked", "panic", fmt.Sprint(v), "remote", conn.RemoteAddr(), "path", conn.URL().Path, "stack", string(stack))
		return
	}
	logf := log.Printf
	if s, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && s.ErrorLog != nil {
		logf = s.ErrorLog.Printf
	}
	logf("websocket: panic serving %v: %v\n%s", conn.RemoteAddr(), v, stack)
}

func (e *Endpoint) logRefusal(r *http.Request, err error) {
	if e.Logger == nil {
		return
	}
	failed, _ := errors.AsType[*errors.ConnectionError](err)
	if refused, ok := errors.AsType[*originError](err); ok && e.refused.first(refused.origin) {
		e.Logger.Warn("websocket: pages of an origin may not connect", "origin", refused.origin, "host", refused.host, "allow", refused.pattern, "advice", refused.advice())
	}
	if failed.StatusCode >= 500 {
		e.Logger.Error("websocket: handshake failed", "error", failed.Err, "status", failed.StatusCode, "remote", r.RemoteAddr, "path", r.URL.Path)
		return
	}
	e.Logger.Debug("websocket: handshake refused", "error", failed.Err, "status", failed.StatusCode, "remote", r.RemoteAddr, "path", r.URL.Path)
}

// Len returns how many connections there are whose function has not returned.
func (e *Endpoint) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.conns)
}

const shutdownMessage = "server shutting down"

// Shutdown closes the endpoint: new requests are refused with 503, every
// connection is closed with 1001 (going away), each within its CloseTimeout,
// and then Shutdown waits until all functions have returned. When ctx ends
// first it returns an error that is ctx.Err() and says how many have not.
//
// It knows the connections of this endpoint only; [http.Server.Shutdown], on
// the other hand, does not know them. Call both.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	if !e.shutdown {
		e.shutdown = true
		e.idle = make(chan struct{})
		for conn := range e.conns {
			go conn.Close(errors.GoingAway, shutdownMessage)
		}
		e.checkIdle()
	}
	e.mu.Unlock()
	select {
	case <-e.idle:
		return nil
	default:
	}
	select {
	case <-e.idle:
		return nil
	case <-ctx.Done():
		n, are := e.Len(), "connections are"
		if n == 1 {
			are = "connection is"
		}
		return fmt.Errorf("websocket: shutdown: %d %s still being served: %w", n, are, ctx.Err())
	}
}

// begin counts a handshake in, unless the endpoint shuts down.
func (e *Endpoint) begin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shutdown {
		return false
	}
	e.pending++
	return true
}

// add counts conn in place of its handshake, and reports whether it may live.
func (e *Endpoint) add(conn *Conn) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pending--
	e.conns[conn] = struct{}{}
	return !e.shutdown
}

// end counts out conn, or a handshake that failed if conn is nil.
func (e *Endpoint) end(conn *Conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if conn == nil {
		e.pending--
	}
	delete(e.conns, conn)
	e.checkIdle()
}

func (e *Endpoint) checkIdle() {
	if e.shutdown && e.pending == 0 && len(e.conns) == 0 {
		close(e.idle)
	}
}

var _ http.Handler = (*Endpoint)(nil)
