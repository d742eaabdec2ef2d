//go:build !js

package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/stream"
)

// The defaults of [Limits].
const (
	// DefaultMaxConnections is 100,000.
	DefaultMaxConnections = 100_000
	// DefaultMaxConnectionsPerAddress is 1,000.
	DefaultMaxConnectionsPerAddress = 1_000
	// DefaultHandshakeRate is 100 a second.
	DefaultHandshakeRate = 100
	// DefaultMessageRate is 1,000 a second.
	DefaultMessageRate = 1_000
	// DefaultByteRate is 16 MiB a second.
	DefaultByteRate = 16 << 20
	// DefaultMaxMemory is 1 GiB.
	DefaultMaxMemory = 1 << 30
)

// rateBurst is the burst of the rate of handshakes, as of the rates of a connection.
const rateBurst = stream.RateBurst

// Limits bound the resources that clients of an [Endpoint] may use. A nil pointer and the
// zero value select the defaults, which are meant for the open Internet. In a numeric
// field, 0 means the default, and a negative number means no limit. docs/limits.md has a
// table.
//
// An address is an IPv4 address or an IPv6 network of 64 bits, the smallest network that
// providers assign to a customer. Without an IP address in [http.Request.RemoteAddr], as
// over a Unix socket, there is no limit for each address.
//
// The defaults of the limits for each address, and those of MessageRate and ByteRate, do
// not apply to a request that comes from a loopback address and has no header field of a
// proxy: a process on the same machine needs no connection to use the machine, and tests
// and measurements do more than any user. A number that is set applies to all.
//
// A rate is a number for each second. An unused rate accumulates for up to 5 seconds, so
// five times as much may arrive at once.
//
// The limits do not replace those of the [http.Server], which reads the request before
// the Endpoint sees it: set its ReadHeaderTimeout, or slow clients hold connections
// without any limit. [Listener] applies the limits of an address before that.
type Limits struct {
	// MaxConnections is the most connections of the Endpoint, with the handshakes under
	// way. One more is refused with 503 and Retry-After. 0 means
	// [DefaultMaxConnections]. It has no effect on [Accept].
	MaxConnections int

	// MaxConnectionsPerAddress is the most connections of one address. One more is
	// refused with 429 and Retry-After. Many people may share an address: in an office,
	// or in the network of a mobile provider. 0 means
	// [DefaultMaxConnectionsPerAddress]. It has no effect on [Accept].
	MaxConnectionsPerAddress int

	// HandshakeRate is how many requests of one address are answered in a second. One more
	// is refused with 429 and Retry-After. 0 means [DefaultHandshakeRate]. It has
	// no effect on [Accept].
	HandshakeRate int

	// MessageRate is how many messages a client may send in a second on one connection.
	// Pings and pongs count, too. A connection that exceeds it is read more slowly, so TCP
	// slows the client down. With CloseAboveRate it ends. 0 means [DefaultMessageRate], a
	// negative number no limit.
	MessageRate int

	// ByteRate is the same for received bytes. A compressed message also counts the bytes
	// of its decompressed data. 0 means [DefaultByteRate].
	ByteRate int

	// CloseAboveRate ends a connection with [errors.PolicyViolation] when it exceeds
	// MessageRate or ByteRate. That costs the server less, but also ends the connections of
	// honest clients that have much to send.
	CloseAboveRate bool

	// MaxMemory is how many bytes all connections of the Endpoint may hold together: data
	// queued to be sent or received, partly received messages, and the state of
	// compression. It does not count the 8 to 19 KiB that a connection takes without these.
	// From three quarters on, connections are accepted without compression, and from
	// MaxMemory on, they are refused with 503 and Retry-After. Connections that are open
	// are not affected. It is measured at handshakes, at most ten times a second. 0 means
	// [DefaultMaxMemory], or half of the memory limit of the process (GOMEMLIMIT) if that
	// is less; a negative number no limit. It has no effect on [Accept].
	MaxMemory int64

	// IdleTimeout is how long a connection may have no message in either direction. It then
	// ends with [errors.GoingAway], "no message for" the time, at most an eighth of that
	// time late. Heartbeats are messages, pings are not. 0 and a negative number mean no
	// limit, because it is usual for a connection to wait, and pings find clients that are
	// gone.
	IdleTimeout time.Duration

	// MaxLifetime is the longest time that a connection lasts. Each lasts a random time
	// from three quarters of it, which spreads the clients' reconnects over time, perhaps
	// to other servers. It then ends as in [Endpoint.Drain]: the function's ctx ends, and
	// when the function has returned the connection is closed with [errors.ServiceRestart],
	// "connection lifetime over". If the function has not returned after 10 seconds, the
	// connection is closed anyway. 0 and a negative number mean no limit.
	MaxLifetime time.Duration

	// TrustedProxies are the addresses ("192.0.2.7", "::1") and networks ("10.0.0.0/8")
	// of the proxies in front of the server, and "unix" for all peers without an
	// IP address. A request from one of them counts for the address that it has added to
	// ProxyHeader: the last one there that is not itself the address of a trusted
	// proxy. Without TrustedProxies all clients of a proxy count as one address. Name only
	// proxies that set the field or append to it, and no other hosts.
	TrustedProxies []string

	// ProxyHeader is the header field in which the trusted proxies pass on the address of
	// the client: "X-Forwarded-For", the default, or "Forwarded" (RFC 7239). The other
	// field is ignored, because a proxy that does not know it forwards the client's value.
	ProxyHeader string
}

// limiter is a prepared Limits. Its numbers have their defaults, and 0 means no limit.
type limiter struct {
	maxConnections int
	remote, local  clientLimits
	maxMemory      int64
	maxLifetime    time.Duration
	proxies        proxies
}

// clientLimits are the limits of one client.
type clientLimits struct {
	address addressLimits
	stream  stream.Limits // of each connection
}

// addressLimits are the limits of one address.
type addressLimits struct {
	connections int
	handshakes  rate.Limit
}

// greatest replaces larger limits, because five times a limit must fit in an int.
const greatest = 1 << 28

// orDefault returns n with its default, and 0 for no limit.
func orDefault(n, standard int) int {
	if n == 0 {
		return standard
	}
	return given(n, 0)
}

// given returns n, and 0 for no limit, which is also the default of a local client.
func given(n, _ int) int { return min(max(n, 0), greatest) }

// ofClients returns the limits of each client. number is orDefault or given.
func (o *Limits) ofClients(number func(n, standard int) int) clientLimits {
	return clientLimits{
		address: addressLimits{
			connections: number(o.MaxConnectionsPerAddress, DefaultMaxConnectionsPerAddress),
			handshakes:  rate.Limit(number(o.HandshakeRate, DefaultHandshakeRate)),
		},
		stream: stream.Limits{
			Messages: number(o.MessageRate, DefaultMessageRate),
			Bytes:    number(o.ByteRate, DefaultByteRate),
			Close:    o.CloseAboveRate,
			Idle:     max(o.IdleTimeout, 0),
		},
	}
}

func newLimiter(o *Limits) (*limiter, error) {
	if o == nil {
		o = &Limits{}
	}
	maxMemory := o.MaxMemory
	if maxMemory == 0 {
		maxMemory = standardMemory()
	}
	proxies, err := newProxies(o.TrustedProxies, o.ProxyHeader)
	return &limiter{
		maxConnections: orDefault(o.MaxConnections, DefaultMaxConnections),
		remote:         o.ofClients(orDefault),
		local:          o.ofClients(given),
		maxMemory:      max(maxMemory, 0),
		maxLifetime:    max(o.MaxLifetime, 0),
		proxies:        proxies,
	}, err
}

// of returns the limits of the client that sent r.
func (l *limiter) of(r *http.Request) addressLimits { return l.client(r).address }

// ofStream returns the limits of a connection of the client that sent r.
func (l *limiter) ofStream(r *http.Request) stream.Limits { return l.client(r).stream }

func (l *limiter) client(r *http.Request) *clientLimits {
	if isLocal(r) {
		return &l.local
	}
	return &l.remote
}

// proxies are the trusted proxies.
type proxies struct {
	networks []netip.Prefix
	unix     bool
	header   string // canonical
}

func newProxies(trusted []string, header string) (proxies, error) {
	p := proxies{header: http.CanonicalHeaderKey(header)}
	switch p.header {
	case "":
		p.header = "X-Forwarded-For"
	case "X-Forwarded-For", "Forwarded":
	default:
		return p, fmt.Errorf("websocket: invalid option: Limits.ProxyHeader is %q; allowed are X-Forwarded-For and Forwarded", header)
	}
	for _, s := range trusted {
		if s == "unix" {
			p.unix = true
			continue
		}
		network, err := parseNetwork(s)
		if err != nil {
			return p, fmt.Errorf("websocket: invalid option: Limits.TrustedProxies has %q, %w", s, err)
		}
		p.networks = append(p.networks, network)
	}
	return p, nil
}

func parseNetwork(s string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(s)
	if !strings.Contains(s, "/") {
		var addr netip.Addr
		if addr, err = netip.ParseAddr(s); err == nil {
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		if addr.Zone() != "" {
			return network, errors.New("which has a zone: leave it out")
		}
	}
	switch {
	case err != nil:
		return network, errors.New(`which is not an IP address, a network such as "10.0.0.0/8", or "unix"`)
	case network.Addr().Is4In6():
		return network, errors.New("which is an IPv4 address in IPv6: write it as IPv4")
	}
	return network, nil
}
