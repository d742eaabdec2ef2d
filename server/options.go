//go:build !js

package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// The defaults of pings, which are those of a client, too.
const (
	// DefaultPingInterval is 25 seconds.
	DefaultPingInterval = 25 * time.Second
	// DefaultPingTimeout is 20 seconds.
	DefaultPingTimeout = 20 * time.Second
)

// Options configure [Handler] and [Accept]. A nil pointer and the zero value select the
// defaults. A negative number is invalid unless the field defines it: requests are then
// answered with 500, and Logger gets an error that names the field. Options must not be
// changed while they are in use. Many endpoints may share one Options.
type Options struct {
	// Subprotocols are the subprotocols that this server supports. The server chooses
	// the first of the client's, in the client's order of preference, that is in this
	// list. If there is none, the connection is accepted without a subprotocol; a
	// browser then fails it, as does this library's client.
	Subprotocols []string

	// ChooseSubprotocol, if not nil, replaces Subprotocols. It may choose by anything
	// in r, such as user or version. offered are the client's subprotocols, in its
	// order of preference; "" chooses none. It is called for every request that offers
	// a subprotocol, by many goroutines at the same time. A choice that was not
	// offered fails the handshake with status 500.
	ChooseSubprotocol func(r *http.Request, offered []string) string

	// OriginPatterns are the hosts, besides the one that was dialed, whose pages
	// may connect. A browser sends the user's cookies with the handshakes of every
	// page, and names the page's origin. Without this check every page could act as
	// the user. Requests without an Origin, from programs, are not checked.
	//
	// A pattern is compared with the origin's host and port, without regard to
	// case, in the syntax of [path.Match]: "example.com", "*.example.com",
	// "localhost:*", "[::1]:3000". With a scheme it is compared with scheme, host
	// and port: "https://example.com". "*" allows every origin. Default ports, a
	// final slash and a final dot make no difference, and international names
	// may be written as such. A pattern that could never match, such as one with
	// a path, is invalid.
	OriginPatterns []string

	// Authorize, if not nil, decides who may connect. It is called after the origin
	// was checked and before the handshake is answered. The principal it returns, for
	// example a user, is the Conn's Principal. An error refuses the handshake: a
	// [*errors.ConnectionError] with its StatusCode (300 to 599), its Header,
	// such as Retry-After or WWW-Authenticate, and its Body as the text; any
	// other error with 403, and its text goes to Logger only.
	//
	// Authorize is also called for the request with which this library's client, in
	// a browser, finds out why a handshake failed. So a ticket must not become
	// invalid at its first use: let it be valid for some seconds. Authorize is called
	// by many goroutines at the same time.
	Authorize func(r *http.Request) (principal any, err error)

	// Detach makes an Endpoint's ServeHTTP return as soon as the handshake is
	// done; the function runs on a goroutine of its own. The stack and the
	// buffers that net/http needed for the request are then released: an idle
	// connection holds 8 KiB instead of 19.
	//
	// The drawback: middlewares act right after the handshake as if the handler had
	// returned. A limit on concurrent requests does not count the connection, a span ends
	// after the handshake, a pooled object is reused for another request. For this reason
	// the function's ctx has only two values of the request's context,
	// [http.ServerContextKey] and [http.LocalAddrContextKey]. Other details of the request
	// come from Authorize, as the Conn's Principal, or from the Conn itself. Over HTTP/2,
	// ServeHTTP returns when the connection is closed, and no memory is saved. Detach has
	// no effect on Accept.
	Detach bool

	// ReuseMessages makes an endpoint made by Messages receive into a buffer that the
	// connection reuses, instead of new memory for each message. The drawbacks: a message's
	// data is valid only until handle returns, and a connection with a goroutine holds a
	// buffer as large as its largest message, at most 64 KiB. It has no effect on
	// Handler and Accept, whose functions call [ws.Conn.ReceiveInto].
	ReuseMessages bool

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
	// into, before compression. 0 means 64 KiB.
	FragmentSize int

	// MaxFragments is the most frames that one incoming message may be split into. A
	// message of more ends the connection with [errors.PolicyViolation]. 0 means
	// 100,000, a negative number no limit.
	MaxFragments int

	// Limits are how many connections there may be, how often clients may come, and how
	// much they may send. nil means the defaults.
	Limits *Limits

	// SendBuffer is the high-water mark in bytes: while as many are queued,
	// Send waits. 0 means 1 MiB.
	SendBuffer int

	// ReceiveBuffer is how many bytes of messages may wait to be received. At this limit
	// the connection is not read, so TCP slows the peer down. 0 means 256 KiB.
	ReceiveBuffer int

	// CloseTimeout is how long Close waits for the peer's answer. 0 means 5 seconds.
	CloseTimeout time.Duration

	// PingInterval is how often to ping the peer, whether or not other data arrives. Pings
	// keep proxies from closing a quiet connection, and measure Latency. 0 means
	// [DefaultPingInterval], a negative number never.
	PingInterval time.Duration

	// PingTimeout is how long the peer may take to answer. The connection ends with
	// [errors.PolicyViolation], "Ping/Pong timeout", when there was no sign of life for
	// PingInterval plus PingTimeout. Anything that arrives from the peer is a sign of life,
	// and so is progress in sending: a peer that reads a long stream slowly is alive. The
	// connection also ends if the peer takes none of the waiting data for that long, even
	// if it sends data. While the peer's TCP receive window is closed, the connection ends
	// after 5 seconds at the earliest (on Linux, where the library can ask for it), because
	// TCP reports progress in steps of up to the peer's receive buffer. 0 means
	// [DefaultPingTimeout].
	PingTimeout time.Duration

	// AnswerHeartbeat is the client heartbeat that is answered without the
	// application: a message that equals its Message gets its Answer as soon as all
	// earlier messages were received, and is not received itself. This also works
	// for a function that never receives. The times in it are not used. nil means the
	// zero Heartbeat, which fits a client's zero Heartbeat: the text "\x05", the
	// control character ENQ, gets the text "\x06".
	AnswerHeartbeat *ws.Heartbeat

	// DisableHeartbeatAnswer passes all messages to the application, including heartbeats.
	// AnswerHeartbeat must then be nil.
	DisableHeartbeatAnswer bool

	// Compression, if not nil, accepts permessage-deflate (RFC 7692) from
	// clients that offer it.
	Compression *ws.Compression

	// Observer, if not nil, is called for handshakes, connections and limits of an
	// Endpoint. It has no effect on Accept.
	Observer *Observer

	// Logger gets a record for each function that returns an error or panics (Error), for
	// the first handshake of each origin that may not connect, up to 100 origins, for the
	// first handshake from which a proxy has dropped a header (Warn), and for each
	// handshake that was refused, each limit that an Endpoint's peer has reached (with the
	// [Limit] as the attribute limit) and each connection of an Endpoint that has ended
	// (Debug). The record of an ended connection has the attributes reason, message,
	// byPeer, error (the cause, if there is one), duration, received and sent (messages),
	// remote and path. No record has a query or a header. With nil only panics, the records
	// of level Warn and the first handshake whose connection a middleware hides are logged,
	// where net/http logs panics of handlers: to the ErrorLog of the http.Server, or the
	// log package if it has none.
	Logger *slog.Logger
}

// config returns the configuration of a connection.
func (o *Options) config(subprotocol string) ws.Config {
	answer := o.AnswerHeartbeat
	if o.DisableHeartbeatAnswer {
		answer = nil
	}
	return ws.Config{
		Subprotocol:    subprotocol,
		MaxMessageSize: o.MaxMessageSize,
		MaxStreamSize:  o.MaxStreamSize,
		FragmentSize:   o.FragmentSize,
		SendBuffer:     o.SendBuffer,
		ReceiveBuffer:  o.ReceiveBuffer,
		CloseTimeout:   o.CloseTimeout,

		AnswerHeartbeat: answer,
	}
}

// pings returns the interval and timeout with their defaults, 0 for never.
func (o *Options) pings() (interval, timeout time.Duration) {
	interval, timeout = o.PingInterval, o.PingTimeout
	if interval == 0 {
		interval = DefaultPingInterval
	}
	if timeout == 0 {
		timeout = DefaultPingTimeout
	}
	return max(interval, 0), timeout
}

// check returns an error that names an invalid option.
func (o *Options) check() error {
	if o.PingTimeout < 0 {
		return fmt.Errorf("websocket: invalid option: PingTimeout is negative: %v", o.PingTimeout)
	}
	if o.DisableHeartbeatAnswer && o.AnswerHeartbeat != nil {
		return errors.New("websocket: invalid option: AnswerHeartbeat is set, and DisableHeartbeatAnswer too")
	}
	config := o.config("")
	return config.Check()
}
