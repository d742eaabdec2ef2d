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
	// Native targets implement the protocol over a byte stream.
	Native Class = "native"
	// Browser targets use the WHATWG WebSocket object: pages, workers, and other runtimes that
	// provide it.
	Browser Class = "browser"
)

// Target is the implementation that the suite runs against.
type Target struct {
	// Name is the target's name in results, such as "native" or "chromium".
	Name string

	// Class says which expectations apply.
	Class Class

	// Engine names the browser engine or runtime whose quirks the target may show, as
	// [Quirk].Engines does. Empty means that it may show none.
	Engine string

	// Server is where the test server listens; see ws/wstest/peer.
	Server Addresses

	// Dial opens a connection. options is never nil; an option that the target
	// cannot honour must make Dial fail with errors.ErrUnsupported.
	Dial func(ctx context.Context, url string, options *Options) (*ws.Conn, error)

	// Skip maps the id of each case that cannot run on this target to the reason.
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
	// Control is the same server on another port and, where this machine has one, another address
	// of loopback. The cases request the records of behaviours there, because a browser opens
	// only one connection to a port, or as Firefox does to an address, at a time.
	Control string
	// IPv6 is the same server on [::1], or "" if the machine has no IPv6.
	IPv6 string
	// TLS is the same server over TLS, with Certificate.
	TLS string
	// Certificate is TLS's self-signed certificate, PEM. The target must trust it.
	Certificate string
	// Untrusted is the same server over TLS with a certificate that no target
	// may trust.
	Untrusted string
	// Refused is an address that refuses connections.
	Refused string
	// Library reports whether the server has endpoints of a WebSocket library under test
	// (peer.Config.Accept). Parts of cases that need them do not run without.
	Library bool
}

// Options are the options that the cases pass to a dialer. The fields have the meanings and
// defaults of those of the same name in isosocket.DialOptions.
type Options struct {
	Subprotocols     []string
	Header           map[string][]string
	MaxMessageSize   int
	MaxStreamSize    int64
	FragmentSize     int
	SendBuffer       int
	ReceiveBuffer    int
	HandshakeTimeout time.Duration
	CloseTimeout     time.Duration
	PingInterval     time.Duration
	PingTimeout      time.Duration
	Heartbeat        *ws.Heartbeat
	Compression      *ws.Compression
}
