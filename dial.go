package isosocket

import (
	"context"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/presence"
	"github.com/isosocket/isosocket/internal/subprotocol"
	"github.com/isosocket/isosocket/internal/wsurl"
	"github.com/isosocket/isosocket/ws"
)

// DialOptions configure [Dial]. A nil pointer and the zero value mean every
// default. A negative number is an error that names the field, unless the field
// says what it means. Fields that a browser cannot honour make Dial fail
// there, with an error that is [errors.ErrUnsupported] and names the field.
type DialOptions struct {
	// Subprotocols are offered to the server in this order of preference
	// (RFC 6455, section 1.9). If the server chooses none of them, Dial fails.
	Subprotocols []string

	// Header is sent with the handshake request. An [http.Header] fits. The
	// fields of the handshake itself (Connection, Upgrade, Sec-WebSocket-*) may
	// not be in it; Host may. Native targets only.
	//
	// [http.Header]: https://pkg.go.dev/net/http#Header
	Header map[string][]string

	// MaxMessageSize is the most bytes of data that one message may have, sent
	// or received. An incoming message over it ends the connection with
	// [errors.MessageTooBig]. 0 means 1 MiB, a negative number no limit.
	MaxMessageSize int

	// SendBuffer is the high-water mark in bytes: while as many are queued,
	// Send waits. 0 means 1 MiB.
	SendBuffer int

	// ReceiveBuffer is how many bytes of messages may wait while the program does not
	// receive. 0 means 16 MiB in a browser, where going over it ends the
	// connection with [errors.PolicyViolation], and 256 KiB natively, where the
	// connection is then not read from, so that TCP slows the peer down.
	ReceiveBuffer int

	// HandshakeTimeout bounds Dial beside ctx. 0 means 30 seconds, a negative
	// number no limit.
	HandshakeTimeout time.Duration

	// CloseTimeout bounds Close: how long the peer may take to answer. 0 means 5
	// seconds.
	CloseTimeout time.Duration

	// PingInterval is how often to ping the peer, whether something else comes from it
	// or not: that keeps proxies from closing a quiet connection, and measures
	// Latency. 0 means [DefaultPingInterval], a negative number never. Native targets
	// only: a browser cannot send pings.
	PingInterval time.Duration

	// PingTimeout is how long the peer may take to answer. The connection ends with
	// [errors.PolicyViolation], "Ping/Pong timeout", when there was no sign of life
	// for PingInterval and PingTimeout together. Whatever comes from the peer is one,
	// and so is that it takes some of what waits to be sent: who reads a long stream
	// slowly is alive. A peer that takes nothing of what waits for that long is given
	// up, too, whatever it sends. 0 means [DefaultPingTimeout]. Native targets only.
	PingTimeout time.Duration

	// Heartbeat, if not nil, finds a link that is half-open on every target, by
	// a message that the peer answers. A server of this library answers the zero
	// Heartbeat by default; with any other server, the application there has to.
	Heartbeat *ws.Heartbeat

	// Compression, if not nil, offers permessage-deflate (RFC 7692) to the
	// server. A browser always offers it, and chooses its details itself.
	Compression *ws.Compression

	// DisableStatusProbe keeps Dial in a browser from asking once more, with
	// fetch, why a handshake failed. A browser hides that; without the probe,
	// ConnectionError.StatusCode is 0 there. A server of this library answers the
	// probe as it would answer the handshake; any other server's answer is a
	// guess (ConnectionError.StatusGuessed). The probe takes 3 seconds at most and
	// never brings up a login dialog. Without effect on native targets, which see
	// the status.
	DisableStatusProbe bool

	// Native holds the options whose types only native targets have. Its fields
	// do not exist in a browser build, so that using one there does not compile;
	// nil is portable.
	Native *NativeOptions
}

// Dial opens a WebSocket connection to url, which may be a ws, wss, http or https URL
// without a fragment. The rules of the WHATWG URL Standard decide what is valid and what
// the server is asked for, on every target. ctx bounds the handshake only: once Dial has
// returned, its end no longer matters to the connection.
//
// Every error is a [*errors.ConnectionError]. It is [errors.ErrInvalidURL] or
// [errors.ErrInvalidSubprotocol] if that is what is wrong, before any I/O;
// [errors.ErrUnsupported] for an option that this target cannot honour; it
// carries the HTTP status in StatusCode if the server refused, and ctx.Err()
// if ctx ended first. A redirect is refused, as in a browser, and is
// [errors.ErrRedirected]. What a browser forbids is [errors.ErrForbidden]. A
// browser cannot send a user and password that stand in the URL: there they are
// [errors.ErrUnsupported]. A Dial inside a JavaScript callback, which cannot wait,
// is [errors.ErrWouldBlock].
func Dial(ctx context.Context, url string, opts *DialOptions) (*ws.Conn, error) {
	var o DialOptions
	if opts != nil {
		o = *opts
	}
	target, err := wsurl.Parse(url)
	if err == nil {
		err = subprotocol.Check(o.Subprotocols)
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		failed := &errors.ConnectionError{Err: err}
		if target != nil {
			failed.URL = target.String()
		}
		return nil, failed
	}
	switch {
	case o.HandshakeTimeout == 0:
		o.HandshakeTimeout = defaultHandshakeTimeout
		fallthrough
	case o.HandshakeTimeout > 0:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.HandshakeTimeout, timeoutError(o.HandshakeTimeout))
		defer cancel()
	}
	conn, err := dial(ctx, target, &o)
	if err != nil {
		if failed, ok := errors.AsType[*errors.ConnectionError](err); ok {
			failed.URL, failed.Err = target.String(), target.Scrub(failed.Err)
			return nil, failed
		}
		return nil, &errors.ConnectionError{URL: target.String(), Err: target.Scrub(err)}
	}
	if o.Heartbeat != nil {
		probeOnReturn(conn)
	}
	return conn, nil
}

const defaultHandshakeTimeout = 30 * time.Second

// The defaults of pings, on native targets.
const (
	// DefaultPingInterval is 25 seconds: less than the idle timeouts of usual proxies.
	DefaultPingInterval = 25 * time.Second
	// DefaultPingTimeout is 20 seconds.
	DefaultPingTimeout = 20 * time.Second
)

// check returns an error that names an option that cannot be used on any target.
func (o *DialOptions) check() error {
	if o.PingTimeout < 0 {
		return &optionError{"PingTimeout", "is negative: " + o.PingTimeout.String()}
	}
	return o.config("").Check()
}

// probeOnReturn makes conn's heartbeat check at once when the user comes back:
// timers that were held may have kept it from finding that the link is gone.
func probeOnReturn(conn *ws.Conn) {
	w := presence.Watch()
	if w.Returned() == nil {
		return
	}
	go func() {
		defer w.Stop()
		for {
			select {
			case <-w.Returned():
				conn.Probe()
			case <-conn.Done():
				return
			}
		}
	}()
}

// timeoutError is the cause of a context that HandshakeTimeout ended.
type timeoutError time.Duration

func (e timeoutError) Error() string {
	return "no connection within the HandshakeTimeout of " + time.Duration(e).String()
}

// Timeout makes it a timeout as net.Error has it.
func (timeoutError) Timeout() bool { return true }

// config is what the Conn over a transport has to know.
func (o *DialOptions) config(subprotocol string) *ws.Config {
	return &ws.Config{
		Subprotocol:    subprotocol,
		MaxMessageSize: o.MaxMessageSize,
		SendBuffer:     o.SendBuffer,
		ReceiveBuffer:  o.ReceiveBuffer,
		CloseTimeout:   o.CloseTimeout,
		Heartbeat:      o.Heartbeat,
	}
}
