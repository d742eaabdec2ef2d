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

// DialOptions configure [Dial]. A nil pointer and the zero value select the defaults. A
// negative number is an error that names the field, unless the field says what it
// means. Fields that a browser cannot honour make Dial fail there, with an error that
// is [errors.ErrUnsupported] and names the field.
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

	// MaxStreamSize is the most bytes of data that one message may have that
	// [ws.Conn.NextWriter] sends or [ws.Conn.NextReader] receives. 0 means
	// MaxMessageSize, a negative number no limit; a limit below MaxMessageSize counts as
	// that.
	MaxStreamSize int64

	// FragmentSize is the size in bytes of the fragments that NextWriter cuts a message
	// into, before compression. 0 means 64 KiB. A browser does not cut messages.
	FragmentSize int

	// SendBuffer is the high-water mark in bytes: while as many are queued,
	// Send waits. 0 means 1 MiB.
	SendBuffer int

	// ReceiveBuffer is how many bytes of messages may wait to be received. In a
	// browser, where 0 means 16 MiB, more than that ends the connection with
	// [errors.PolicyViolation]. On native targets, where 0 means 256 KiB, the
	// connection is not read at this limit, so that TCP slows the peer down.
	ReceiveBuffer int

	// HandshakeTimeout limits the time of Dial, in addition to ctx. 0 means 30
	// seconds, a negative number no limit.
	HandshakeTimeout time.Duration

	// CloseTimeout is how long Close waits for the peer's answer. 0 means 5 seconds.
	CloseTimeout time.Duration

	// PingInterval is how often to ping the peer, whether other data arrives from it
	// or not. Pings keep proxies from closing a quiet connection, and measure
	// Latency. 0 means [DefaultPingInterval], a negative number never. Native targets
	// only: a browser cannot send pings.
	PingInterval time.Duration

	// PingTimeout is how long the peer may take to answer. The connection ends with
	// [errors.PolicyViolation], "Ping/Pong timeout", when there was no sign of life for
	// PingInterval plus PingTimeout. Anything that arrives from the peer is a sign of
	// life, and so is progress in sending: a peer that reads a long stream slowly is
	// alive. The connection also ends if the peer accepts none of the waiting data for
	// that long, even if it sends data. While the peer's TCP receive window is closed,
	// the end comes after 5 seconds at the earliest (on Linux, where the library can ask
	// for it), because TCP reports progress in steps of up to the peer's receive buffer.
	// 0 means [DefaultPingTimeout]. Native targets only.
	PingTimeout time.Duration

	// Heartbeat, if not nil, detects a half-open link on every target, with a message
	// that the peer answers. A server of this library answers the zero Heartbeat by
	// default; with any other server, its application must answer.
	Heartbeat *ws.Heartbeat

	// Compression, if not nil, offers permessage-deflate (RFC 7692) to the
	// server. A browser always offers it, and chooses its details itself.
	Compression *ws.Compression

	// DisableStatusProbe disables the second request, with fetch, with which Dial in
	// a browser finds out why a handshake failed. A browser hides the reason; without
	// the probe, ConnectionError.StatusCode is 0 there. A server of this library
	// answers the probe as it would answer the handshake; any other server's answer
	// is a guess (ConnectionError.StatusGuessed). The probe takes at most 3 seconds
	// and never shows a login dialog. On native targets, which see the status, this
	// option has no effect.
	DisableStatusProbe bool

	// Native holds the options whose types only native targets have. Its fields
	// do not exist in a browser build, so that using one there does not compile;
	// nil is portable.
	Native *NativeOptions
}

// Dial opens a WebSocket connection to url, which may be a ws, wss, http or
// https URL without a fragment. On every target the URL is parsed by the rules of the
// WHATWG URL Standard. ctx limits only the handshake: after Dial has returned, the
// end of ctx does not affect the connection.
//
// Every error is a [*errors.ConnectionError]. For an invalid URL or subprotocol it is
// [errors.ErrInvalidURL] or [errors.ErrInvalidSubprotocol], before any I/O; for an
// option that this target cannot honour it is [errors.ErrUnsupported]. If the server
// refused, StatusCode is the HTTP status; if ctx ended first, the error is ctx.Err().
// A redirect is refused, as in a browser, with [errors.ErrRedirected]. If the browser
// forbids the connection, the error is [errors.ErrForbidden]. A browser cannot send a
// user and password in the URL: there the error is [errors.ErrUnsupported]. Inside a
// JavaScript callback, which cannot wait, Dial returns an [errors.ErrWouldBlock].
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

// withHandshakeTimeout bounds ctx for a function that the program runs before or after
// the handshake.
func (o *DialOptions) withHandshakeTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := o.HandshakeTimeout
	switch {
	case timeout < 0:
		return ctx, func() {}
	case timeout == 0:
		timeout = defaultHandshakeTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

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

// probeOnReturn makes conn's heartbeat check at once when the user comes back: the
// browser may have delayed its timers, and a dead link was then not detected.
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

// Timeout reports true: the error is a timeout in the sense of net.Error.
func (timeoutError) Timeout() bool { return true }

// config returns the configuration of a connection.
func (o *DialOptions) config(subprotocol string) *ws.Config {
	return &ws.Config{
		Subprotocol:    subprotocol,
		MaxMessageSize: o.MaxMessageSize,
		MaxStreamSize:  o.MaxStreamSize,
		FragmentSize:   o.FragmentSize,
		SendBuffer:     o.SendBuffer,
		ReceiveBuffer:  o.ReceiveBuffer,
		CloseTimeout:   o.CloseTimeout,
		Heartbeat:      o.Heartbeat,
	}
}
