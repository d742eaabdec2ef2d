//go:build !js

package server

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/isosocket/isosocket/internal/handshake"
)

// packedRequest is the header of a request, without the fields that only the handshake
// needed, and the values of its path, stored as fields whose names begin with wildcard.
type packedRequest handshake.PackedHeader

// wildcard cannot be in the name of a header field.
const wildcard = "{"

func packRequest(r *http.Request) packedRequest {
	packed := handshake.PackHeader(r.Header, func(name string) bool {
		return name == ":protocol" || name == "Connection" || name == "Upgrade" || strings.HasPrefix(name, "Sec-Websocket-") || strings.HasPrefix(name, wildcard)
	})
	var values http.Header
	for name := range wildcards(r.Pattern) {
		if value := r.PathValue(name); value != "" {
			if values == nil {
				values = make(http.Header)
			}
			values[wildcard+url.PathEscape(name)] = []string{url.PathEscape(value)}
		}
	}
	return packedRequest(packed + handshake.PackHeader(values, nil))
}

// wildcards returns the names in a pattern such as "/rooms/{id}/{file...}".
func wildcards(pattern string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for {
			_, rest, ok := strings.Cut(pattern, "{")
			if !ok {
				return
			}
			name, rest, ok := strings.Cut(rest, "}")
			if !ok || !yield(strings.TrimSuffix(name, "...")) {
				return
			}
			pattern = rest
		}
	}
}

// header returns a new header.
func (p packedRequest) header() http.Header {
	header := handshake.PackedHeader(p).Unpack()
	for name := range header {
		if strings.HasPrefix(name, wildcard) {
			delete(header, name)
		}
	}
	return header
}

// setPathValues sets the values of the path in r.
func (p packedRequest) setPathValues(r *http.Request) {
	for name, values := range handshake.PackedHeader(p).Unpack() {
		if name, ok := strings.CutPrefix(name, wildcard); ok {
			name, _ = url.PathUnescape(name)
			value, _ := url.PathUnescape(values[0])
			r.SetPathValue(name, value)
		}
	}
}

// Request returns a copy of the request that opened the connection, for code that expects
// an [http.Request]: its Cookie, BasicAuth, UserAgent, PathValue and FormValue work. It has
// the method GET, the URL, the host, the client's address, the state of TLS, the version of
// HTTP, and the header without the fields of the handshake itself. Its context is [context.Background], and its
// Body is empty. It remains valid with Options.Detach, and each call returns a new one,
// which the caller may change.
func (c *Conn) Request() *http.Request {
	u := *c.URL()
	r := (&http.Request{
		Method:     http.MethodGet,
		URL:        &u,
		RequestURI: u.RequestURI(),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     c.Header(),
		Body:       http.NoBody,
		Host:       c.host,
		RemoteAddr: c.remoteAddr,
		TLS:        c.tls,
	}).WithContext(context.Background())
	if c.stream != nil {
		r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
	}
	c.request.setPathValues(r)
	return r
}
