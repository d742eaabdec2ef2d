//go:build !js

package server

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/stream"
)

// Endpoint is an [http.Handler] that accepts WebSocket connections and runs a
// function for each. [Handler] makes one. All methods may be called by many
// goroutines at the same time.
type Endpoint struct {
	serve    func(ctx context.Context, conn *Conn) error
	advised  adviceLog
	acceptor *acceptor
	limits   limits
	clients  addresses
	memory   memory

	mu       sync.Mutex
	conns    map[*Conn]*connContext
	tally    tally
	pending  int           // handshakes under way
	stopping *stopping     // nil while new connections are accepted
	shutdown bool          // Shutdown was called
	idle     chan struct{} // closed when nothing is left; made with stopping
}

// stopping holds how an Endpoint treats handshakes that arrive after Shutdown or Drain.
type stopping struct {
	cause      *errors.ConnectionClosed // ends connections
	retryAfter time.Duration            // for handshakes that are refused, 0 for none
}

// Handler returns an http.Handler that accepts WebSocket connections, each
// with [Accept], and calls serve for each of them.
//
// ctx has the values of the request's context. It ends when the connection
// ends, for any reason, and [context.Cause] then returns the
// [*errors.ConnectionClosed]. A Receive with ctx still returns the messages that
// arrived before. When [Endpoint.Drain] reaches the connection, ctx ends first, and
// the connection stays open until serve returns.
//
// When serve returns, the connection is closed: with 1000 (normal closure) if
// the error is nil, and with 1011 "internal error" if it is not, or if serve
// panics. The error's text goes to Options.Logger, never to the peer. To choose
// the reason, serve returns a [*errors.ConnectionClosed] with a Reason that may
// be sent, and its Message, or an error that is or wraps an [errors.CloseReason]
// that may be sent: fmt.Errorf("token expired: %w", errors.CloseReason(4003))
// closes with 4003 and "token expired". All the text around the reason goes to
// the peer, so it must not contain secrets; the text of errors.Join is not sent.
// If serve or the peer has already closed the connection, that reason stays.
// A function normally ends by returning the error with which Receive reported
// this; that is not a failure.
//
// o may be nil. If something in it is invalid, every request is answered with
// 500, and Options.Logger gets the reason.
func Handler(serve func(ctx context.Context, conn *Conn) error, o *Options) *Endpoint {
	a := newAcceptor(o)
	a.flushers = new(stream.Flushers)
	e := &Endpoint{serve: serve, acceptor: a, conns: make(map[*Conn]*connContext), tally: newTally()}
	a.endpoint = e
	return e
}

// ServeHTTP performs the handshake, calls the function that was passed to Handler,
// and returns when the function has returned and the connection is closed. With
// Options.Detach it returns after the handshake, and the function continues to run; over
// HTTP/2 it returns when the connection is closed.
// ServeHTTP refuses requests that are not handshakes, and, with 503, all requests
// after Shutdown or Drain.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	t, f := e.admit(r)
	answered, running := false, false
	defer func() { // also if Authorize, ChooseSubprotocol, HandshakeStart or a middleware's Hijack panics
		if !answered {
			e.handshakeEnded(r, began, 0, errPanicked)
		}
		if !running && t.e != nil {
			t.done()
		}
	}()
	r = e.acceptor.Observer.handshakeStart(r)
	if f != nil {
		err := e.refuseEarly(w, r, f)
		answered = true
		e.refused(r, began, err, true)
		return
	}
	ctx := &connContext{Context: e.values(r)}
	conn, err := e.acceptor.accept(w, r, ctx, t.plain)
	answered = true
	if err != nil {
		e.refused(r, began, err, false)
		return
	}
	e.handshakeEnded(r, began, http.StatusSwitchingProtocols, nil)
	e.connectionStarted(ctx, r, conn)
	run := e.run
	if e.acceptor.parks != nil && ctx.transport.Parkable() {
		run = e.runLoop
	}
	if late := t.connected(conn, ctx); late != nil {
		run = late.close
	} else {
		t.life = e.limitLifetime(ctx, conn)
	}
	running = true
	if conn.stream != nil {
		// The stream of HTTP/2 needs this goroutine, and ends when it returns.
		var function sync.WaitGroup
		function.Go(func() { run(t, ctx, conn) })
		conn.stream.Pump()
		if !e.acceptor.Detach {
			function.Wait()
		}
		return
	}
	if e.acceptor.Detach {
		go run(t, ctx, conn)
	} else {
		run(t, ctx, conn)
	}
}

// close closes a connection whose handshake was under way when Shutdown or Drain was
// called.
func (s *stopping) close(t ticket, ctx *connContext, conn *Conn) {
	defer t.done()
	began := time.Now()
	conn.Close(s.cause.Reason, s.cause.Message)
	t.ended(ctx, began, nil)
}

// errPanicked is the error of a handshake that was not answered because of a panic.
var errPanicked = errors.New("websocket: a function panicked before the handshake was answered")

// refused records that r was refused with err. early means that r was refused without a
// look at its content, which is not a failure of the server, even with 503.
func (e *Endpoint) refused(r *http.Request, began time.Time, err error, early bool) {
	failed, _ := errors.AsType[*errors.ConnectionError](err)
	e.logRefusal(r, failed, early)
	if failed.StatusCode == http.StatusOK {
		err = nil // the answer to a probe
	}
	e.handshakeEnded(r, began, failed.StatusCode, err)
}

// values returns a context with the values that the function's context takes from
// the request. The request's own context ends at times that net/http chooses; the
// function's context ends with the connection.
func (e *Endpoint) values(r *http.Request) context.Context {
	if !e.acceptor.Detach {
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

// refuseEarly answers a request that is refused regardless of its content.
func (e *Endpoint) refuseEarly(w http.ResponseWriter, r *http.Request, f *refusal) error {
	origin, err := checkOrigin(r, e.acceptor.origins)
	if err != nil {
		origin = ""
	}
	_, f.probed = probed(r)
	return f.answer(w, r, origin)
}

// refusal refuses a request that arrives after Shutdown or Drain.
func (s *stopping) refusal() *refusal {
	f := refuse(http.StatusServiceUnavailable, "This WebSocket endpoint is shutting down.")
	f.retryAfter(s.retryAfter)
	return f
}

// run serves a connection after its handshake, until its function has returned.
func (e *Endpoint) run(t ticket, ctx *connContext, conn *Conn) {
	defer t.done()
	began := time.Now()
	reason, message := errors.InternalError, "internal error"
	failure := errNotReturned
	// Also if serve ends the goroutine with runtime.Goexit.
	defer func() {
		conn.Close(reason, message)
		t.ended(ctx, began, failure)
	}()
	defer func() {
		if v := recover(); v != nil {
			failure = e.panicked(ctx, conn, v)
		}
	}()
	reason, message, failure = e.outcome(ctx, conn, e.serve(ctx, conn))
}

// panicked logs the panic of a function, and returns it as an error.
func (e *Endpoint) panicked(ctx *connContext, conn *Conn, v any) error {
	if v != http.ErrAbortHandler {
		e.logPanic(ctx, "handler", conn.RemoteAddr(), conn.URL().Path, v)
	}
	return fmt.Errorf("panic: %v", v)
}

// errNotReturned is the failure of a function that ended its goroutine.
var errNotReturned = errors.New("websocket: the function ended its goroutine")

// outcome returns the reason and message to close with after serve returned err, and err
// itself if it is a failure.
func (e *Endpoint) outcome(ctx *connContext, conn *Conn, err error) (reason errors.CloseReason, message string, failure error) {
	drained := ctx.drained.Load()
	if drained != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return drained.Reason, drained.Message, nil
	}
	if err == nil {
		return errors.NormalClosure, "", nil
	}
	if ended := conn.Err(); ended != nil && (errors.Is(err, ended) || errors.Is(err, context.Canceled)) {
		return errors.NormalClosure, "", nil // without effect
	}
	if reason, message, ok := chosenReason(err); ok {
		return reason, message, nil
	}
	if l := e.acceptor.Logger; l != nil {
		l.Error("websocket: handler failed", "error", err, "remote", conn.RemoteAddr(), "path", conn.URL().Path)
	}
	return errors.InternalError, "internal error", err
}

// logEnd logs how a connection ended.
func (e *Endpoint) logEnd(ctx *connContext, conn *Conn, r *ConnectionResult) {
	l := e.acceptor.Logger
	if l == nil || !l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	closed := r.Closed
	attributes := []slog.Attr{
		slog.String("reason", closed.Reason.String()),
		slog.String("message", closed.Message),
		slog.Bool("byPeer", closed.Remote),
		slog.Duration("duration", r.Duration),
		slog.Uint64("received", r.Received.Messages),
		slog.Uint64("sent", r.Sent.Messages),
		slog.String("remote", conn.RemoteAddr()),
		slog.String("path", conn.URL().Path),
	}
	if closed.Err != nil {
		attributes = append(attributes, slog.Any("error", closed.Err))
	}
	l.LogAttrs(ctx, slog.LevelDebug, "websocket: connection ended", attributes...)
}

// chosenReason returns the reason and the message that a function's error chooses
// for closing the connection. The result is false if it chooses none.
func chosenReason(err error) (errors.CloseReason, string, bool) {
	// If Remote is set, it describes the end of another connection, and is not the
	// function's choice.
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

// logPanic logs the panic of who, which is the handler or the observer.
func (e *Endpoint) logPanic(ctx context.Context, who, remote, path string, v any) {
	stack := debug.Stack()
	if e.acceptor.Logger != nil {
		e.acceptor.Logger.Error("websocket: "+who+" panicked", "panic", fmt.Sprint(v), "remote", remote, "path", path, "stack", string(stack))
		return
	}
	httpLogf(ctx)("websocket: panic serving %v: %v\n%s", remote, v, stack)
}

// httpLogf returns the function with which net/http logs errors of the server of ctx.
func httpLogf(ctx context.Context) func(format string, args ...any) {
	if s, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && s.ErrorLog != nil {
		return s.ErrorLog.Printf
	}
	return log.Printf
}

// logRefusal logs why r was refused, as a failure of the server from the status 500 on,
// unless early.
func (e *Endpoint) logRefusal(r *http.Request, failed *errors.ConnectionError, early bool) {
	e.logAdvice(r.Context(), failed.Err)
	if e.acceptor.Logger == nil {
		return
	}
	if failed.StatusCode >= 500 && !early {
		e.acceptor.Logger.Error("websocket: handshake failed", "error", failed.Err, "status", failed.StatusCode, "remote", r.RemoteAddr, "path", r.URL.Path)
		return
	}
	e.acceptor.Logger.Debug("websocket: handshake refused", "error", failed.Err, "status", failed.StatusCode, "remote", r.RemoteAddr, "path", r.URL.Path)
}

// logAdvice logs, once, a refusal that a change of the configuration may prevent.
func (e *Endpoint) logAdvice(ctx context.Context, err error) {
	l := e.acceptor.Logger
	if refused, ok := errors.AsType[*originError](err); ok && e.advised.first(refused.origin) {
		if l == nil {
			httpLogf(ctx)("websocket: %v. %s", refused, refused.advice())
			return
		}
		l.Warn("websocket: pages of an origin may not connect", "origin", refused.origin, "host", refused.host, "allow", refused.pattern, "advice", refused.advice())
	}
	if dropped, ok := errors.AsType[*droppedError](err); ok && e.advised.first(dropped.Error()) {
		if l == nil {
			httpLogf(ctx)("websocket: %v", dropped)
			return
		}
		l.Warn("websocket: a proxy has changed the handshake", "error", dropped)
	}
	// A Logger has the error already, at level Error.
	if hidden, ok := errors.AsType[*hiddenError](err); ok && l == nil && e.advised.first(hidden.Error()) {
		httpLogf(ctx)("%v", hidden)
	}
}

// open returns the contexts of the open connections. mu is held.
func (e *Endpoint) open() []*connContext {
	return slices.AppendSeq(make([]*connContext, 0, len(e.conns)), maps.Values(e.conns))
}

// Len returns the number of connections whose function has not returned.
func (e *Endpoint) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.conns)
}

const shutdownMessage = "server shutting down"

// Shutdown closes the endpoint: it refuses new requests with 503, closes every connection
// with 1001 (going away), each within its CloseTimeout, and then waits until all functions
// have returned. If ctx ends first, it returns an error that is ctx.Err() and says how many
// have not returned.
//
// Shutdown closes only the connections of this endpoint, and [http.Server.Shutdown]
// does not close them: call both, or [Stop]. [Endpoint.Drain] gives functions time
// to finish, and spreads the closing over time.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	e.stop(&stopping{&errors.ConnectionClosed{Reason: errors.GoingAway, Message: shutdownMessage}, time.Second})
	if !e.shutdown {
		e.shutdown = true
		for conn := range e.conns {
			go conn.Close(errors.GoingAway, shutdownMessage)
		}
	}
	e.mu.Unlock()
	if e.awaitIdle(ctx) {
		return nil
	}
	n, are := e.Len(), "connections are"
	if n == 1 {
		are = "connection is"
	}
	return fmt.Errorf("websocket: shutdown: %d %s still being served: %w", n, are, ctx.Err())
}

// stop makes the endpoint refuse new requests, unless it already does. mu is held.
func (e *Endpoint) stop(s *stopping) {
	if e.stopping != nil {
		return
	}
	e.stopping = s
	e.idle = make(chan struct{})
	e.checkIdle()
}

// awaitIdle waits until no request is left after stop, and reports false if ctx ends
// first.
func (e *Endpoint) awaitIdle(ctx context.Context) bool {
	select {
	case <-e.idle:
		return true
	default: // e.idle is checked first: it counts even if ctx has ended
	}
	select {
	case <-e.idle:
		return true
	case <-ctx.Done():
		return false
	}
}

// ticket represents a counted request, from its handshake until its function has returned.
type ticket struct {
	e       *Endpoint
	conn    *Conn             // nil before the handshake is done
	address *address          // nil if it is not limited
	result  *ConnectionResult // how conn ended
	life    *time.Timer       // nil if it is not limited
	plain   bool              // conn gets no compression
}

// admit counts a request, or returns why it is refused.
func (e *Endpoint) admit(r *http.Request) (ticket, *refusal) {
	switch stopping, full := e.begin(); {
	case stopping != nil:
		return ticket{}, stopping.refusal()
	case full:
		return ticket{}, e.refuseConnection(r)
	}
	t := ticket{e: e}
	if e.acceptor.err != nil {
		return t, nil // refuses every request
	}
	switch e.pressure() {
	case full:
		t.done()
		return ticket{}, e.refuseMemory(r)
	case scarce:
		t.plain = true
	}
	limits := e.acceptor.limiter.of(r)
	if limits == (addressLimits{}) {
		return t, nil
	}
	addr := e.acceptor.limiter.proxies.client(r)
	if !addr.IsValid() {
		return t, nil
	}
	a, reached, wait := e.clients.enter(counted(addr), limits)
	if reached != "" {
		t.done()
		return ticket{}, e.refuseAddress(r, reached, wait)
	}
	t.address = a
	return t, nil
}

// begin counts a handshake, unless the endpoint is stopping or has too many connections.
func (e *Endpoint) begin() (late *stopping, full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping != nil {
		return e.stopping, false
	}
	if limit := e.acceptor.limiter.maxConnections; limit > 0 && e.pending+len(e.conns) >= limit {
		return nil, true
	}
	e.pending++
	return nil, false
}

// connected counts conn in place of its handshake. If the endpoint is stopping, it returns
// how to close conn.
func (t *ticket) connected(conn *Conn, ctx *connContext) (late *stopping) {
	t.e.mu.Lock()
	defer t.e.mu.Unlock()
	t.conn = conn
	t.e.pending--
	t.e.tally.accepted++
	t.e.conns[conn] = ctx
	return t.e.stopping
}

// done removes the request from the counts.
func (t *ticket) done() {
	t.e.clients.leave(t.address)
	if t.life != nil {
		t.life.Stop()
	}
	t.e.mu.Lock()
	defer t.e.mu.Unlock()
	if t.conn == nil {
		t.e.pending--
	} else {
		delete(t.e.conns, t.conn)
		t.e.tally.close(t.result)
	}
	t.e.checkIdle()
}

// ended records that the connection, which began at began, has ended and that its function
// has returned.
func (t *ticket) ended(ctx *connContext, began time.Time, failure error) {
	received, sent := ctx.transport.FinalTraffic()
	t.result = &ConnectionResult{
		Closed:   ctx.transport.Ending().Cause(),
		Failure:  failure,
		Duration: time.Since(began),
		Received: traffic(received),
		Sent:     traffic(sent),
	}
	t.e.logEnd(ctx, t.conn, t.result)
	t.e.connectionEnded(ctx, t.conn, t.result)
}

func (e *Endpoint) checkIdle() {
	if e.stopping != nil && e.pending == 0 && len(e.conns) == 0 {
		close(e.idle)
	}
}

var _ http.Handler = (*Endpoint)(nil)
