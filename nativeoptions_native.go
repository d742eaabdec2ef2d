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
