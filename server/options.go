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

// The defaults of Options that differ from those of a client.
const (
	// DefaultPingInterval is 25 seconds.
	DefaultPingInterval = 25 * time.Second
	// DefaultPingTimeout is 20 seconds.
	DefaultPingTimeout = 20 * time.Second
)

// Options configure [Handler] and [Accept]. A nil pointer and the zero value mean
// every default. A negative number is invalid, unless the field says what it means:
// requests are then answered with 500, and Logger gets an error that names the field.
// Options may not be changed once they are in use; one Options may serve many
// endpoints.
type Options struct {
	// Subprotocols are the ones that this server speaks. The first one in the
	// client's order of preference that is among them is chosen. If there is
	// none, the connection is accepted without a subprotocol; a browser then
	// fails it, as does this library's client.
	Subprotocols []string

	// ChooseSubprotocol chooses instead of Subprotocols: by user, by version, by
	// anything in r. offered are the client's, in its order of preference;
	// "" chooses none. It is called for every request that offers some, by many
	// goroutines at the same time. A choice that was not offered fails the
	// handshake with status 500.
	ChooseSubprotocol func(r *http.Request, offered []string) string

	// OriginPatterns are the hosts, beside the one that was dialed, whose pages
	// may connect. A browser names its page's origin, and sends the user's
	// cookies along whoever the page belongs to; so without this check every page
	// could speak in the user's name. Requests without an Origin, from programs,
	// are not checked.
	//
	// A pattern is compared with the origin's host and port, without regard to
	// case, in the syntax of [path.Match]: "example.com", "*.example.com",
	// "localhost:*", "[::1]:3000". With a scheme it is compared with scheme, host
	// and port: "https://example.com". "*" allows every origin. Default ports, a
	// final slash and a final dot make no difference, and international names
	// may be written as such. A pattern that could never match, such as one with
	// a path, is invalid.
	OriginPatterns []string

	// Authorize, if not nil, decides before the handshake is answered who
	// connects, after the origin was checked. The principal it returns, a user
	// say, is the Conn's Principal. An error refuses the handshake: a
	// [*errors.ConnectionError] with its StatusCode (300 to 599), its Header,
	// such as Retry-After or WWW-Authenticate, and its Body as the text; any
	// other error with 403, and its text is for Logger alone.
	//
	// It is also called for the request with which this library's client finds
	// out in a browser why a handshake failed, so it must not use up a ticket
	// that it refuses or accepts twice: let a ticket hold for some seconds. It
	// is called by many goroutines at the same time.
	Authorize func(r *http.Request) (principal any, err error)

	// Detach makes an Endpoint's ServeHTTP return as soon as the handshake is
	// done, and its function go on, on a goroutine of its own. The stack and the
	// buffers that net/http needed for the request are then released: an idle
	// connection holds 8 KiB instead of 19.
	//
	// The price: what a middleware does after the handler returns, it does at
	// once. A limit on concurrent requests counts nothing, a span ends after the
	// handshake, a pooled object is handed to another request. So the function's
	// ctx has no values of the request's context, but for
	// [http.ServerContextKey] and [http.LocalAddrContextKey]; what it needs to
	// know of the request comes from Authorize, as the Conn's Principal, or from
	// the Conn itself. Accept is not concerned.
	Detach bool

	// MaxMessageSize is the most bytes of data that one message may have, sent
	// or received. An incoming message over it ends the connection with
	// [errors.MessageTooBig]. 0 means 1 MiB, a negative number no limit.
	MaxMessageSize int

	// MaxFragments is the most frames that one incoming message may be split into. A
	// message of more ends the connection with [errors.PolicyViolation]. 0 means
	// 100,000, a negative number no limit.
	MaxFragments int

	// SendBuffer is the high-water mark in bytes: while as many are queued,
	// Send waits. 0 means 1 MiB.
	SendBuffer int

	// ReceiveBuffer is how many bytes of messages may wait while nobody
	// receives. The connection is then not read from, so that TCP slows the peer
	// down. 0 means 256 KiB.
	ReceiveBuffer int

	// CloseTimeout bounds Close: how long the peer may take to answer. 0 means 5
	// seconds.
	CloseTimeout time.Duration

	// PingInterval is how often to ping the peer, whether something else comes from it
	// or not: that keeps proxies from closing a quiet connection, and measures
	// Latency. 0 means [DefaultPingInterval], a negative number never.
	PingInterval time.Duration

	// PingTimeout is how long the peer may take to answer. The connection ends with
	// [errors.PolicyViolation], "Ping/Pong timeout", when there was no sign of life
	// for PingInterval and PingTimeout together. Whatever comes from the peer is one,
	// and so is that it takes some of what waits to be sent: who reads a long stream
	// slowly is alive. A peer that takes nothing of what waits for that long is given
	// up, too, whatever it sends. 0 means [DefaultPingTimeout].
	PingTimeout time.Duration

	// AnswerHeartbeat is the heartbeat of clients that is answered without the
	// application: a message that equals its Message gets its Answer, once all that
	// came before was received, and is not received itself. A function that never
	// receives need do nothing for that. Its times do not matter. nil means the zero
	// Heartbeat, which fits a client's zero Heartbeat: the text "\x05", the control
	// character ENQ, gets the text "\x06".
	AnswerHeartbeat *ws.Heartbeat

	// DisableHeartbeatAnswer leaves all messages to the application, heartbeats too.
	// AnswerHeartbeat must then be nil.
	DisableHeartbeatAnswer bool

	// Compression, if not nil, accepts permessage-deflate (RFC 7692) from
	// clients that offer it.
	Compression *ws.Compression

	// Logger gets a record for each function that returns an error or panics (Error),
	// for the first handshake of each origin that may not connect, up to 100 origins
	// (Warn), and for each handshake that was refused and each connection of an
	// Endpoint that has ended (Debug). The last one has the attributes reason, message,
	// byPeer, error (the cause, if there is one), duration, received and sent (messages),
	// remote and path. No record has a query or a header. nil logs nothing but panics,
	// which go where net/http logs those of handlers: to the ErrorLog of the
	// http.Server, or the log package if it has none.
	Logger *slog.Logger
}

// config is what the Conn over a transport has to know.
func (o *Options) config(subprotocol string) ws.Config {
	answer := o.AnswerHeartbeat
	if o.DisableHeartbeatAnswer {
		answer = nil
	}
	return ws.Config{
		Subprotocol:    subprotocol,
		MaxMessageSize: o.MaxMessageSize,
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

// check returns an error that names an option that cannot be used.
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
