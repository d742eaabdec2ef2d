//go:build !js

package isosocket

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/handshake"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/internal/stream"
	"github.com/isosocket/isosocket/internal/wsurl"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/driver"
)

// NativeOptions are the options whose types a browser build does not have. The
// zero value selects the defaults. Dial does not change it, and many Dials may use
// it at the same time.
type NativeOptions struct {
	// MaxFragments is the most frames that one incoming message may be split into. A
	// message of more ends the connection with 1008 (policy violation). 0 means
	// 100,000, a negative number no limit. A browser has limits of its own.
	MaxFragments int

	// HTTPClient carries the handshake request. Its Jar's cookies are sent and
	// its Timeout also limits the handshake; its CheckRedirect is never called,
	// because redirects are refused. If its Transport is set, it dials, and
	// TLSConfig, Proxy and DialContext must be nil. It may be any RoundTripper whose
	// 101 response has a body that is an [io.ReadWriteCloser], as with an
	// [http.Transport]. The connection reads, writes and closes this body. If the
	// body is of another type than that of an http.Transport, this needs one more
	// goroutine, because a read of it cannot be interrupted.
	// The request has its handshake fields in the spelling of RFC 6455
	// ("Sec-WebSocket-Key"), which [http.Header.Get] does not find. A Transport may
	// finish a dial that ctx has interrupted, and keep the connection for later.
	//
	// nil means a separate client for each Dial. After a Dial that failed, it holds
	// no resources.
	HTTPClient *http.Client

	// TLSConfig is used for wss URLs. It is not changed. nil means the defaults of
	// crypto/tls. HTTP/2 is never negotiated, even if NextProtos has it.
	TLSConfig *tls.Config

	// Proxy returns the proxy for the handshake request, whose URL has the
	// scheme http or https; nil means none. Proxies have the scheme http, https,
	// socks5 or socks5h. One that speaks HTTP is asked for a tunnel, with the
	// user and password of its URL; its certificate is checked against the
	// system's roots. A nil Proxy means [http.ProxyFromEnvironment], and no proxy
	// if DialContext is set.
	Proxy func(*http.Request) (*url.URL, error)

	// DialContext opens the underlying connection, for example to a Unix socket. addr
	// is the URL's host with a port, or the proxy's; ctx ends when Dial's does.
	// nil means a [net.Dialer].
	//
	// A connection that is exactly a [*net.TCPConn] or [*net.UnixConn] is read and
	// written through its descriptor. Any other is used only through its own Read,
	// Write, SetReadDeadline and Close, even if it embeds one of these, so that it
	// may encrypt, count or slow down the data.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// dial performs the handshake over net/http and runs the native engine on the
// resulting byte stream.
func dial(ctx context.Context, target *wsurl.URL, o *DialOptions) (*ws.Conn, error) {
	header, host, err := handshake.RequestHeader(o.Header)
	if err != nil {
		return nil, err
	}
	if target.Userinfo != "" && header["Authorization"] == nil {
		header["Authorization"] = []string{target.Basic()}
	}
	deflate, policy, err := handshake.Deflate(o.Compression)
	if err != nil {
		return nil, err
	}
	var below opener
	client, err := o.Native.client(ctx, &below)
	if err != nil {
		return nil, err
	}
	response, err := handshake.Dial(ctx, handshake.Request{
		Secure:       target.Scheme == "wss",
		Authority:    target.Host,
		Target:       target.Path + target.Query,
		Header:       header,
		Host:         host,
		Subprotocols: o.Subprotocols,
		Deflate:      deflate,
		StrictWindow: o.Compression != nil && o.Compression.StrictWindowBits,
		Client:       client,
	})
	if err != nil {
		below.abandon()
		return nil, err
	}
	config := o.config(response.Subprotocol)
	config.Extensions = response.Extensions
	maxFragments := 0
	if o.Native != nil {
		maxFragments = o.Native.MaxFragments
	}
	transport := stream.New(response.Stream, stream.Options{
		Role:          rfc6455.Client,
		Config:        *config,
		Deflate:       response.Deflate,
		DeflatePolicy: policy,
		PingInterval:  pingInterval(o.PingInterval),
		PingTimeout:   o.PingTimeout,
		MaxFragments:  maxFragments,
		Prefix:        response.Prefix,
	})
	return ws.NewConn(&dialed{transport, response.Answer}, config), nil
}

// dialed is the transport of a client, with the server's response.
type dialed struct {
	*stream.Transport
	answer *handshake.Answer
}

var (
	_ driver.Responder   = (*dialed)(nil)
	_ driver.Addresser   = (*dialed)(nil)
	_ driver.TLSReporter = (*dialed)(nil)
)

// Response implements driver.Responder.
func (d *dialed) Response() *http.Response {
	r := d.answer.Response()
	r.TLS = d.TLS()
	return r
}

// LocalAddr implements driver.Addresser. The stream may be one that a RoundTripper has
// wrapped, without an address.
func (d *dialed) LocalAddr() net.Addr {
	return cmp.Or(d.Transport.LocalAddr(), d.answer.LocalAddr())
}

// RemoteAddr implements driver.Addresser.
func (d *dialed) RemoteAddr() net.Addr {
	return cmp.Or(d.Transport.RemoteAddr(), d.answer.RemoteAddr())
}

// TLS implements driver.TLSReporter.
func (d *dialed) TLS() *tls.ConnectionState {
	return cmp.Or(d.Transport.TLS(), d.answer.TLS())
}

// pingInterval returns d with its default, 0 for never.
func pingInterval(d time.Duration) time.Duration {
	if d == 0 {
		return DefaultPingInterval
	}
	return max(d, 0)
}

// client returns the HTTP client for the handshake request. Unless the user supplied
// a transport, it is for this Dial only: a shared one would be global state, with
// connections in it that outlive a refused Dial.
func (n *NativeOptions) client(ctx context.Context, below *opener) (*http.Client, error) {
	if n == nil {
		n = &NativeOptions{}
	}
	var client http.Client
	if n.HTTPClient != nil {
		client = *n.HTTPClient
	}
	if client.Transport != nil {
		for _, field := range []struct {
			name string
			set  bool
		}{
			{"TLSConfig", n.TLSConfig != nil},
			{"Proxy", n.Proxy != nil},
			{"DialContext", n.DialContext != nil},
		} {
			if field.set {
				return nil, errors.New("websocket: NativeOptions." + field.name +
					" and the Transport of NativeOptions.HTTPClient exclude each other: set it in the Transport")
			}
		}
		return &client, nil
	}
	below.dial, below.proxy = n.DialContext, n.Proxy
	if below.dial == nil {
		below.dial = new(net.Dialer).DialContext
		if below.proxy == nil {
			below.proxy = http.ProxyFromEnvironment
		}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // RFC 6455 upgrades HTTP/1.1
	client.Transport = &http.Transport{
		Proxy: below.chooseProxy,
		// net/http detaches a dial from the request that wants it, so that a
		// later one could use the connection. Here there is no later one.
		DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			conn, err := below.connect(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return handshake.NewClientFirst(conn), nil
		},
		TLSClientConfig:        n.TLSConfig,
		Protocols:              protocols,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponseHeader,
		ReadBufferSize:         handshakeBuffer,
		WriteBufferSize:        handshakeBuffer,
	}
	return &client, nil
}

const (
	// maxResponseHeader is far above what a handshake needs.
	maxResponseHeader = 64 << 10
	// handshakeBuffer holds a usual request or response in one piece.
	handshakeBuffer = 1 << 10
)

// opener opens the connection of one Dial. It keeps a reference to it, so that the
// connection can be closed at any stage, for example during a TLS handshake or
// while a proxy connects.
type opener struct {
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	proxy  func(*http.Request) (*url.URL, error)
	tunnel *url.URL // the proxy to ask for a tunnel, nil for none

	mu        sync.Mutex
	conns     []net.Conn
	abandoned bool
}

// chooseProxy leaves HTTP proxies to connect, because net/http would ask them to
// forward the request of a ws URL, and few proxies can forward an upgrade. RFC 6455,
// section 4.1, requires a tunnel.
func (o *opener) chooseProxy(r *http.Request) (*url.URL, error) {
	if o.proxy == nil {
		return nil, nil
	}
	proxy, err := o.proxy(r)
	switch {
	case err != nil:
		return nil, handshake.ProxyError(err)
	case proxy == nil:
		return nil, nil
	}
	switch proxy.Scheme {
	case "http", "https":
		o.tunnel = proxy
		return nil, nil
	case "socks5", "socks5h":
		return proxy, nil
	}
	return nil, fmt.Errorf("websocket: the URL of the proxy has the scheme %q; allowed are http, https, socks5 and socks5h", proxy.Scheme)
}

func (o *opener) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if o.tunnel == nil {
		return o.open(ctx, network, addr)
	}
	conn, err := o.open(ctx, network, handshake.ProxyAddr(o.tunnel))
	if err != nil {
		return nil, fmt.Errorf("proxy %s://%s: %w", o.tunnel.Scheme, o.tunnel.Host, err)
	}
	through, err := handshake.Tunnel(ctx, conn, o.tunnel, addr)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("proxy %s://%s: %w", o.tunnel.Scheme, o.tunnel.Host, err)
	}
	return through, nil
}

func (o *opener) open(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := o.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.abandoned {
		conn.Close()
		return nil, net.ErrClosed
	}
	o.conns = append(o.conns, conn)
	return conn, nil
}

// abandon closes the connections that were opened, and any that will be.
func (o *opener) abandon() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.abandoned = true
	for _, conn := range o.conns {
		conn.Close()
	}
}

// mayWait returns nil: every goroutine may wait.
func mayWait(_, _ string) error { return nil }

// isUntrusted reports whether err is about the server's certificate.
func isUntrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	// From a DialTLSContext that verifies by itself.
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return unknown || host || invalid
}

// clientReadAhead is how much a Client reads ahead of Receive unless ReceiveBuffer is set.
// The connection does not see a close frame that arrives after more than that and the data
// that this side's system holds.
const clientReadAhead = DefaultMaxUnread / 2
