package wstest

import (
	"context"
	"testing"
	"time"

	"github.com/isosocket/isosocket/ws"
)

// Class selects one of the two expected values of an [Expectation].
type Class string

// The classes of targets.
const (
	// Native targets read the byte stream themselves.
	Native Class = "native"
	// Browser targets are built on the WHATWG WebSocket object: pages, workers,
	// and the runtimes that have it too.
	Browser Class = "browser"
)

// Target is the implementation that the suite runs against.
type Target struct {
	// Name is the target's name in results, such as "native" or "chromium".
	Name string

	// Class says which expectations apply.
	Class Class

	// Engine is the engine of a browser or a runtime whose quirks the target may
	// show, as [Quirk].Engines names it. Empty: none may be shown.
	Engine string

	// Server is where the test server listens; see ws/wstest/peer.
	Server Addresses

	// Dial opens a connection. options is never nil; an option that the target
	// cannot honour must make Dial fail with errors.ErrUnsupported.
	Dial func(ctx context.Context, url string, options *Options) (*ws.Conn, error)

	// Skip holds the ids of the cases that cannot run on this target, each with
	// the reason.
	Skip map[string]string

	// Check, if not nil, is called before each case. It registers, with Cleanup,
	// checks that run when the case has ended and its connections are closed: that
	// no goroutine is left, for example.
	Check func(t testing.TB)

	// Report, if not nil, receives each case's result instead of the test's log.
	Report func(Result)
}

// Addresses are the addresses of the test server. They encode as JSON, so that
// they can be passed to a browser.
type Addresses struct {
	// URL is the test server's, such as "ws://127.0.0.1:4000".
	URL string
	// Control is the same server on another port. The cases ask there for
	// the records of behaviours, because a browser opens one connection to a port at a time.
	Control string
	// IPv6 is the same server on [::1], "" where the machine has no IPv6.
	IPv6 string
	// TLS is the same server over TLS, with Certificate.
	TLS string
	// Certificate is TLS's self-signed certificate, PEM. The target must trust it.
	Certificate string
	// Untrusted is the same server over TLS with a certificate that no target
	// may trust.
	Untrusted string
	// Refused is an address where nothing listens.
	Refused string
	// Library reports whether the server has endpoints of a WebSocket library
	// under test (peer.Config.Accept). Without it, parts that need them are not run.
	Library bool
}

// Options are the options that the cases pass to a dialer. Meanings and defaults
// are those of the fields of the same name of isosocket.DialOptions.
type Options struct {
	Subprotocols     []string
	Header           map[string][]string
	MaxMessageSize   int
	SendBuffer       int
	ReceiveBuffer    int
	HandshakeTimeout time.Duration
	CloseTimeout     time.Duration
	PingInterval     time.Duration
	PingTimeout      time.Duration
	Heartbeat        *ws.Heartbeat
	Compression      *ws.Compression
}
