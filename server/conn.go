//go:build !js

package server

import (
	"crypto/tls"
	"net/http"
	"net/url"

	"github.com/isosocket/isosocket/internal/http2stream"
	"github.com/isosocket/isosocket/ws"
)

// Conn is a connection that a client opened: the [ws.Conn] and details of the
// request that opened it. All methods added here may be called at any time, by
// many goroutines.
type Conn struct {
	*ws.Conn

	request    packedRequest
	url        lazyURL
	host       string
	remoteAddr string
	tls        *tls.ConnectionState
	principal  any
	endpoint   *Endpoint           // nil with Accept
	stream     *http2stream.Stream // nil unless it came over HTTP/2
}

// Header returns the header of the request, including cookies, but without the
// fields of the handshake itself. Each call returns a new header, which the
// caller may change.
func (c *Conn) Header() http.Header { return c.request.header() }

// URL returns the request's URL as [http.Request] has it: usually only path and
// query. Each call returns the same URL, which must not be changed.
func (c *Conn) URL() *url.URL { return c.url.get() }

// Host returns the host that the client dialed, with the port if it is not the
// default port.
func (c *Conn) Host() string { return c.host }

// RemoteAddr returns the client's address from [http.Request.RemoteAddr]: "IP:port", unless
// a middleware has replaced it.
func (c *Conn) RemoteAddr() string { return c.remoteAddr }

// Principal returns what Options.Authorize returned for the request that opened
// the connection, nil without an Authorize.
func (c *Conn) Principal() any { return c.principal }

// TLS returns the state of the TLS connection, or nil if the connection does not
// use TLS. Each call returns the same state, which must not be changed.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }
