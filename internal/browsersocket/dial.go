//go:build js

package browsersocket

import (
	"context"
	"slices"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/ws"
)

// Options are the options of [Dial].
type Options struct {
	// Subprotocols are offered to the server in this order of preference.
	Subprotocols []string

	// Config is the configuration of the connection, before defaults are applied.
	// Dial ignores its Subprotocol: the server chooses.
	Config ws.Config

	// DisableStatusProbe keeps Dial from finding out with a fetch why a handshake
	// failed.
	DisableStatusProbe bool
}

// Dial opens the browser's own WebSocket. url has the scheme ws or wss; ctx
// bounds the handshake, and the status probe after one that failed.
//
// If the handshake fails, the error is an [*errors.ConnectionError] with the status that
// the probe found and without the URL; it wraps ctx.Err() if ctx ended first. Dial returns
// an exception of the constructor unchanged; it matches [errors.ErrInvalidURL] if the URL
// caused it, or [errors.ErrForbidden].
func Dial(ctx context.Context, url string, o Options) (*ws.Conn, error) {
	s, err := open(ctx, url, o)
	if err == errHandshake {
		failed := &errors.ConnectionError{Err: err}
		if o.DisableStatusProbe || !newProbe(url, o.Subprotocols).explain(ctx, failed) {
			return nil, failed
		}
		// A redirected GET proves nothing by itself; a second failed handshake does.
		if s, err = open(ctx, url, o); err == errHandshake {
			failed.Err = errors.ErrRedirected
			return nil, failed
		}
	}
	if err != nil {
		return nil, err
	}
	o.Config.Subprotocol, err = property(s.js, "protocol")
	if chosen := o.Config.Subprotocol; err == nil && !slices.Contains(o.Subprotocols, chosen) && (chosen != "" || len(o.Subprotocols) > 0) {
		// WHATWG WebSockets, section 2.2, makes this handshake fail, but not every
		// engine does so.
		err = &subprotocolMismatch{chosen, o.Subprotocols}
	}
	if err != nil {
		s.abandon()
		return nil, err
	}
	// If the property is missing, the negotiated extensions are unknown.
	if extensions, err := s.js.Get("extensions"); err == nil && extensions.Type() == jscall.TypeString {
		o.Config.Extensions, _ = extensions.String()
	}
	return ws.NewConn(s, &o.Config), nil
}

// subprotocolMismatch is a handshake in which the server chose a subprotocol that
// the client did not offer, or none of those it did.
type subprotocolMismatch struct {
	chosen  string // "" if none
	offered []string
}

func (e *subprotocolMismatch) Error() string {
	if e.chosen != "" {
		return "the server chose the subprotocol " + e.chosen + ", which was not offered"
	}
	s := "the server chose none of the subprotocols "
	for i, name := range e.offered { // strings.Join would make the client larger
		if i > 0 {
			s += ", "
		}
		s += name
	}
	return s
}

func (e *subprotocolMismatch) Unwrap() error { return errors.ErrSubprotocolMismatch }

// errHandshake is a handshake that failed for a reason that the browser hides.
var errHandshake = errors.New("the WebSocket handshake failed; a browser hides why")

// open makes a WebSocket and waits for its handshake.
func open(ctx context.Context, url string, o Options) (*socket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := MayWait("Dial", "call it on another goroutine"); err != nil {
		return nil, err
	}
	p := watchPolicy()
	defer p.stop()
	s, err := newSocket(url, o)
	if err != nil {
		return nil, err
	}
	if err = s.awaitOpen(ctx); err == errHandshake {
		if forbidden := p.forbidden(s.js); forbidden != nil {
			err = forbidden
		}
	}
	return s, err
}

// constructorError is the exception of new WebSocket.
type constructorError struct {
	url string
	err error
}

func (e *constructorError) Error() string {
	if e.Is(errors.ErrInvalidURL) {
		return errors.ErrInvalidURL.Error() + ": " + e.err.Error()
	}
	return e.err.Error()
}

func (e *constructorError) Unwrap() error { return e.err }

// Is reports ErrInvalidURL for a URL that this JavaScript environment cannot
// parse either.
func (e *constructorError) Is(target error) bool {
	if target != errors.ErrInvalidURL {
		return false
	}
	var js jscall.Builtins
	js.Get("URL")
	found := js.Err == nil
	js.New("URL", e.url)
	return found && js.Err != nil
}
