//go:build !js

package handshake

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
)

// Answer holds the parts that a client keeps of the response that accepted its
// handshake.
type Answer struct {
	header PackedHeader
	status string
	proto  string
	below  *below // nil: the stream is a net.Conn, which knows it
}

// below describes the connection below a stream that is not a net.Conn.
type below struct {
	local, remote net.Addr
	tls           *tls.ConnectionState
}

func newAnswer(response *http.Response) *Answer {
	return &Answer{
		header: PackHeader(response.Header, nil),
		status: response.Status,
		proto:  response.Proto,
	}
}

// cameOver records the connection, which may be nil, and its TLS.
func (a *Answer) cameOver(conn net.Conn, state *tls.ConnectionState) {
	a.below = &below{tls: state}
	if conn != nil {
		a.below.local, a.below.remote = conn.LocalAddr(), conn.RemoteAddr()
	}
}

// Response returns a new response without a body.
func (a *Answer) Response() *http.Response {
	r := &http.Response{
		Status:     a.status,
		StatusCode: http.StatusSwitchingProtocols,
		Proto:      a.proto,
		Header:     a.header.Unpack(),
		Body:       http.NoBody,
	}
	r.ProtoMajor, r.ProtoMinor, _ = http.ParseHTTPVersion(a.proto)
	return r
}

// LocalAddr returns the address of this side of the connection that carried the response,
// nil if the stream is a net.Conn, or the RoundTripper does not report it.
func (a *Answer) LocalAddr() net.Addr {
	if a.below == nil {
		return nil
	}
	return a.below.local
}

// RemoteAddr is LocalAddr for the other side.
func (a *Answer) RemoteAddr() net.Addr {
	if a.below == nil {
		return nil
	}
	return a.below.remote
}

// TLS is LocalAddr for the state of TLS.
func (a *Answer) TLS() *tls.ConnectionState {
	if a.below == nil {
		return nil
	}
	return a.below.tls
}

// traced returns r with a trace that stores the connection it is sent over.
func traced(r *http.Request, conn *net.Conn) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { *conn = info.Conn },
	}))
}
