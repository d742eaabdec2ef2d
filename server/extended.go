//go:build !js

package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/http2stream"
)

// isExtended reports whether r is an extended CONNECT over HTTP/2 (RFC 8441, section 4).
func isExtended(r *http.Request) bool {
	return r.Method == http.MethodConnect && r.ProtoMajor == 2 && len(r.Header[":protocol"]) > 0
}

// checkExtended checks an extended CONNECT against RFC 8441, section 5. The fields of the
// handshake that HTTP/2 makes unnecessary, such as Sec-WebSocket-Key, are ignored.
func checkExtended(r *http.Request) *refusal {
	if protocol := r.Header[":protocol"]; len(protocol) != 1 || protocol[0] != "websocket" {
		return refuse(http.StatusNotImplemented, "The extended CONNECT asks for the protocol %q; only websocket is supported.", protocol)
	}
	if r.ContentLength >= 0 {
		return refuse(http.StatusBadRequest, "A WebSocket handshake over HTTP/2 keeps its stream open and has no Content-Length.")
	}
	if f := checkVersion(r.Header); f != nil {
		return f
	}
	return checkExtensions(r.Header)
}

// responseStream is the part of net/http's ResponseWriter of HTTP/2 that a connection needs.
type responseStream interface {
	http.ResponseWriter
	FlushError() error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// streamOf returns the ResponseWriter of net/http below the wrappers of middlewares, which may
// have set the header of the answer, but must not see the frames. ok is false if one has no
// method Unwrap.
func streamOf(w http.ResponseWriter) (s responseStream, ok bool) {
	for {
		wrapper, wrapped := w.(interface{ Unwrap() http.ResponseWriter })
		if !wrapped {
			s, ok = w.(responseStream)
			return s, ok
		}
		w = wrapper.Unwrap()
	}
}

// extend answers an extended CONNECT with 200, and stores its stream in u. The error says
// that the client was gone before.
func (a *acceptor) extend(u *upgrade, r *http.Request) (*refusal, error) {
	if a.endpoint == nil {
		return refuse(http.StatusNotImplemented, "This WebSocket endpoint is made by server.Accept, which has no WebSocket over HTTP/2; server.Handler has."), nil
	}
	w, ok := streamOf(u.ResponseWriter)
	if !ok {
		return cannotHijack(u.ResponseWriter, r, http.ErrNotSupported), nil
	}
	if body := fmt.Sprintf("%T", r.Body); strings.HasSuffix(body, ".maxBytesReader") {
		return misconfigured(errors.New("websocket: http.MaxBytesHandler or http.MaxBytesReader limits the body of the request" +
			", which carries the messages over HTTP/2; mount the endpoint outside of it")), nil
	}
	header := w.Header()
	for name, values := range u.Header() {
		if !bodyFields[name] {
			header[name] = values
		}
	}
	for name := range bodyFields {
		delete(header, name)
	}
	if u.subprotocol != "" {
		header["Sec-Websocket-Protocol"] = []string{u.subprotocol}
	}
	if u.extension != "" {
		header["Sec-Websocket-Extensions"] = []string{u.extension}
	}
	// Those of the http.Server would end the stream for good.
	_ = w.SetReadDeadline(time.Time{})
	_ = w.SetWriteDeadline(time.Now().Add(responseTimeout))
	w.WriteHeader(http.StatusOK)
	if err := w.FlushError(); err != nil {
		return nil, fmt.Errorf("websocket: the client was gone before the answer: %w", err)
	}
	_ = w.SetWriteDeadline(time.Time{})

	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	var remote net.Addr
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		remote = net.TCPAddrFromAddrPort(addr)
	}
	u.stream = http2stream.New(r.Body, responseOutlet{w}, local, remote)
	if r.TLS != nil {
		u.conn = tlsStream{u.stream, r.TLS}
	} else {
		u.conn = u.stream
	}
	return nil, nil
}

// responseOutlet writes a stream's output to the response.
type responseOutlet struct{ w responseStream }

func (o responseOutlet) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err == nil {
		err = o.w.FlushError()
	}
	return n, err
}

func (o responseOutlet) Abort() { _ = o.w.SetWriteDeadline(time.Unix(1, 0)) }

var _ http2stream.Outlet = responseOutlet{}

// tlsStream reports the TLS connection that carries a stream.
type tlsStream struct {
	*http2stream.Stream
	state *tls.ConnectionState
}

// ConnectionState has the signature of the method of tls.Conn.
func (s tlsStream) ConnectionState() tls.ConnectionState { return *s.state }
