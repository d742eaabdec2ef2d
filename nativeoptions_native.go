//go:build !js

package isosocket

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
)

// NativeOptions are the options whose types a browser build does not have. The
// zero value has every default. Nothing in it is changed by Dial; it may be
// used by many Dials at the same time.
type NativeOptions struct {
	// MaxFragments is the most frames that one incoming message may be split into. A
	// message of more ends the connection with 1008 (policy violation). 0 means
	// 100,000, a negative number no limit. A browser has limits of its own.
	MaxFragments int

	// HTTPClient carries the handshake request. Its Jar's cookies are sent and
	// its Timeout bounds the handshake too; its CheckRedirect is never asked,
	// because redirects are refused. If its Transport is set, it dials, and
	// TLSConfig, Proxy and DialContext must be nil; it may be any RoundTripper
	// that answers a 101 with a body that is an [io.ReadWriteCloser], as an
	// [http.Transport] does. A body of its own is what the connection reads, writes
	// and closes; it costs a goroutine more, because a read of it cannot be
	// interrupted. The request has its handshake fields in the spelling of RFC 6455
	// ("Sec-WebSocket-Key"), which [http.Header.Get] does not find. A Transport may
	// finish a dial that ctx has interrupted, and keep the connection for later.
	//
	// nil means a client of this Dial's own, of which nothing is left after a
	// Dial that failed.
	HTTPClient *http.Client

	// TLSConfig is used for wss URLs. It is not changed. nil means the defaults
	// of crypto/tls. HTTP/2 is never negotiated, whatever NextProtos says.
	TLSConfig *tls.Config

	// Proxy returns the proxy for the handshake request, whose URL has the
	// scheme http or https; nil means none. Proxies have the scheme http, https,
	// socks5 or socks5h. One that speaks HTTP is asked for a tunnel, with the
	// user and password of its URL; its certificate is checked against the
	// system's roots. A nil Proxy means [http.ProxyFromEnvironment], and no proxy
	// if DialContext is set.
	Proxy func(*http.Request) (*url.URL, error)

	// DialContext opens the connection below, to a Unix socket for example. addr
	// is the URL's host with a port, or the proxy's; ctx ends when Dial's does.
	// nil means a [net.Dialer].
	//
	// A connection that is exactly a [*net.TCPConn] or [*net.UnixConn] is read and
	// written through its descriptor. Any other is used through its own Read, Write,
	// SetReadDeadline and Close only, even if it embeds one of these, so that it may
	// encrypt, count or slow down what passes.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}
