//go:build !js

package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/handshake"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/internal/stream"
	"github.com/isosocket/isosocket/internal/subprotocol"
	"github.com/isosocket/isosocket/ws"
)

// Accept performs the server's side of the handshake (RFC 6455, section 4.2)
// and returns the connection. The caller must close it. Header fields that are
// already set in w are sent with the response. The connection does not depend on
// r's context, which ends when the HTTP handler returns.
//
// Accept also answers a request that it refuses: with 426 if it is not a
// WebSocket handshake, 405 if its method is not GET, 400 if the handshake is
// malformed, 403 if it comes from a page that may not connect, 501 if w cannot be
// hijacked, as in WebSocket over HTTP/2, and 500 if o is invalid. The error is then a
// [*errors.ConnectionError] with that status, or with status 0 if the client
// disconnected before the answer. The handler has nothing left to do.
//
// Middlewares may wrap w if the wrapper has a method Unwrap, as
// [http.ResponseController] requires.
func Accept(w http.ResponseWriter, r *http.Request, o *Options) (*Conn, error) {
	return newAcceptor(o).accept(w, r, nil, false)
}

// acceptor is a prepared Options.
type acceptor struct {
	Options
	deflate  *rfc6455.DeflateParams
	policy   rfc6455.DeflatePolicy
	origins  []string         // OriginPatterns as origins are written
	flushers *stream.Flushers // of an Endpoint's connections
	endpoint *Endpoint        // nil with Accept
	limiter  *limiter
	parks    *parking // of an Endpoint made by Messages, nil if its connections are not parked
	err      error    // the error in Options, nil if they are valid
}

func newAcceptor(o *Options) *acceptor {
	a := &acceptor{}
	if o != nil {
		a.Options = *o
	}
	a.deflate, a.policy, a.err = handshake.Deflate(a.Compression)
	if err := a.Options.check(); err != nil {
		a.err = err
	}
	if !a.DisableHeartbeatAnswer {
		answer := a.AnswerHeartbeat.WithDefaults() // one for all connections
		a.AnswerHeartbeat = &answer
	}
	limiter, err := newLimiter(a.Limits)
	if err != nil {
		a.err = err
	}
	a.limiter = limiter
	origins, err := compileOrigins(a.OriginPatterns)
	if err != nil {
		a.err = err
	}
	a.origins = origins
	for i, p := range a.Subprotocols {
		if !subprotocol.IsToken(p) {
			a.err = fmt.Errorf("websocket: Subprotocols has %q, which is not a token of letters, digits and !#$%%&'*+-.^_`|~", p)
		} else if slices.Contains(a.Subprotocols[:i], p) {
			a.err = fmt.Errorf("websocket: Subprotocols has %q twice", p)
		}
	}
	return a
}

// accept implements Accept. If ctx is not nil, it ends with the connection. If plain is
// true, the connection gets no compression.
func (a *acceptor) accept(w http.ResponseWriter, r *http.Request, ctx *connContext, plain bool) (*Conn, error) {
	u := &upgrade{ResponseWriter: w, plain: plain}
	if err := a.handshake(u, r); err != nil {
		return nil, err
	}
	return a.connect(u, r, ctx), nil
}

// handshake hijacks the connection into u and answers with 101, or with 200 over HTTP/2, or
// refuses.
func (a *acceptor) handshake(u *upgrade, r *http.Request) error {
	subprotocols, probe := probed(r)
	if probe {
		r = asHandshake(r, subprotocols)
	}
	origin, f := a.check(u, r, probe)
	var err error
	if f == nil && probe {
		f = wouldAccept(u.ResponseWriter, r)
	}
	if f == nil && isExtended(r) {
		if f, err = a.extend(u, r); f == nil && err == nil {
			return nil
		} else if err != nil {
			return &errors.ConnectionError{URL: requestURL(r), Err: err}
		}
	}
	if f == nil {
		_, err = websocket.Accept(u, r, &websocket.AcceptOptions{
			InsecureSkipVerify: true, // checked above
			CompressionMode:    websocket.CompressionDisabled,
		})
		switch {
		case errors.Is(err, errKept):
			return nil
		case u.conn != nil: // the client can no longer be answered
			return &errors.ConnectionError{URL: requestURL(r), Err: u.err}
		}
		f = u.refusal(r, err)
	}
	f.probed = probe
	return f.answer(u.ResponseWriter, r, origin)
}

// wouldAccept returns the answer to a probe whose handshake passed all checks.
func wouldAccept(w http.ResponseWriter, r *http.Request) *refusal {
	if r.ProtoMajor == 1 && !canHijack(w) {
		return cannotHijack(w, r, http.ErrNotSupported)
	}
	return refuse(http.StatusOK, "A WebSocket handshake would be accepted.")
}

// check returns why r must be refused, or nil, and stores in u what the answer offers.
// origin is the request's origin if its pages may connect, otherwise "". A probe does not
// need the form of a handshake.
func (a *acceptor) check(u *upgrade, r *http.Request, probe bool) (origin string, f *refusal) {
	origin, err := checkOrigin(r, a.origins)
	if err != nil {
		return "", refuseOrigin(r, err)
	}
	if a.err != nil {
		return origin, misconfigured(a.err)
	}
	if !probe {
		if f := check(r); f != nil {
			return origin, f
		}
	}
	if u.principal, f = a.authorize(r); f != nil {
		return origin, f
	}
	if u.subprotocol, err = a.chooseSubprotocol(r); err != nil {
		return origin, misconfigured(err)
	}
	if a.deflate != nil {
		u.deflate, u.extension = rfc6455.AcceptOffer(r.Header["Sec-Websocket-Extensions"], *a.deflate, a.Compression.StrictWindowBits)
		if u.plain && u.deflate != nil {
			u.deflate, u.extension = nil, ""
			if !probe {
				a.endpoint.limitStruck(LimitCompression, nil, r.RemoteAddr, r.URL.Path)
			}
		}
	}
	return origin, nil
}

// connect returns a Conn over the connection that u has hijacked.
func (a *acceptor) connect(u *upgrade, r *http.Request, ctx *connContext) *Conn {
	config := a.config(u.subprotocol)
	config.Extensions = u.extension
	config.Supervised = ctx != nil // by Endpoint.run
	interval, timeout := a.pings()
	o := stream.Options{
		Role:          rfc6455.Server,
		Config:        config,
		Deflate:       u.deflate,
		DeflatePolicy: a.policy,
		PingInterval:  interval,
		PingTimeout:   timeout,
		Prefix:        u.prefix,
		MaxFragments:  a.MaxFragments,
		Limits:        a.limiter.ofStream(r),
		Flushers:      a.flushers,
	}
	conn := &Conn{
		request:    packRequest(r),
		host:       r.Host,
		remoteAddr: r.RemoteAddr,
		tls:        r.TLS,
		principal:  u.principal,
		endpoint:   a.endpoint,
		stream:     u.stream,
	}
	conn.url.set(r)
	if ctx != nil {
		o.EndsWith = ctx
		if a.parks != nil {
			o.EndsWith = (*waitContext)(ctx)
		}
		ctx.traffic.RoundTrips = a.endpoint.tally.roundTrips
		o.Traffic = &ctx.traffic
		ctx.conn = conn // before New, which may start to read
	}
	transport := stream.New(u.conn, o)
	if ctx != nil {
		ctx.transport = transport
	}
	conn.Conn = ws.NewConn(transport, &config)
	if ctx == nil {
		a.limitLifetime(conn, transport)
	}
	return conn
}

// hasToken reports whether a list of tokens, which may span several lines,
// contains token (RFC 9110, section 5.6.1). It ignores case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(element, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// isKey reports whether s is 16 bytes in base64 (RFC 6455, section 4.2.1).
func isKey(s string) bool {
	var key [18]byte // base64 decodes in threes
	if len(s) != base64.StdEncoding.EncodedLen(16) {
		return false
	}
	n, err := base64.StdEncoding.Decode(key[:], []byte(s))
	return err == nil && n == 16
}
