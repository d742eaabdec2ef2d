//go:build !js

package handshake

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
)

// Request is the handshake request of a client.
type Request struct {
	// Secure asks for TLS.
	Secure bool
	// Authority is the server's host, with the port unless it is the default of the scheme.
	Authority string
	// Target is the path and query of the request line, which is sent unchanged.
	Target string
	// Header holds further fields, as [RequestHeader] returns them. Dial
	// may modify it.
	Header http.Header
	// Host replaces the URL's host in the request, if it is not empty.
	Host string
	// Subprotocols are offered in this order of preference.
	Subprotocols []string
	// Deflate holds the parameters to offer for permessage-deflate, nil for no offer.
	Deflate *rfc6455.DeflateParams
	// StrictWindow refuses a server whose window is larger than offered.
	StrictWindow bool
	// Client carries the request. Its Transport must not be nil.
	Client *http.Client
}

// Response holds the negotiated parameters, and the stream that is now a WebSocket
// connection.
type Response struct {
	// Stream is the [net.Conn] below the response's body if that body is net/http's own,
	// and the body otherwise. It belongs to the caller.
	Stream io.ReadWriteCloser
	// Prefix holds the bytes that were already read from Stream.
	Prefix []byte
	// Subprotocol is the name that the server chose, "" if the client offered none.
	Subprotocol string
	// Deflate holds the agreed parameters of permessage-deflate, nil for no compression.
	Deflate *rfc6455.DeflateParams
	// Extensions is the server's Sec-WebSocket-Extensions, "" for none.
	Extensions string
	// Answer is the response itself.
	Answer *Answer
}

// Dial performs the client's side of the handshake (RFC 6455, section 4.1).
// ctx bounds it. A refusal is an [*errors.ConnectionError] with the status,
// the header and the body's first KiB. If ctx has ended, the error wraps
// ctx.Err() and its cause.
func Dial(ctx context.Context, r Request) (*Response, error) {
	x := &exchange{base: r.Client.Transport, target: r.Target}
	if r.Deflate != nil {
		r.Header.Set("Sec-WebSocket-Extensions", rfc6455.Offer(*r.Deflate, r.StrictWindow))
	}
	client := *r.Client
	client.Transport = x
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	conn, response, err := websocket.Dial(ctx, r.url(), &websocket.DialOptions{
		HTTPClient:      &client,
		HTTPHeader:      r.Header,
		Host:            r.Host,
		Subprotocols:    r.Subprotocols,
		CompressionMode: websocket.CompressionDisabled,
	})
	if response != nil && x.location != nil {
		response.Header["Location"] = x.location
	}
	if err != nil {
		x.close()
		return nil, x.explain(ctx, response, err)
	}
	conn.CloseNow() // its stream is Inert
	agreed, err := x.agree(r)
	if err != nil {
		x.close()
		return nil, err
	}
	return agreed, nil
}

// url returns a URL that net/url can read.
func (r *Request) url() string {
	scheme := "ws://"
	if r.Secure {
		scheme = "wss://"
	}
	path, query, hasQuery := strings.Cut(r.Target, "?")
	if hasQuery {
		query = "?" + query
	}
	var b strings.Builder
	for i := range len(path) {
		b.WriteByte(path[i])
		if _, err := url.PathUnescape(path[i:min(i+3, len(path))]); path[i] == '%' && err != nil {
			b.WriteString("25")
		}
	}
	return scheme + r.Authority + b.String() + query
}

// exchange is a RoundTripper for a single exchange. It keeps the byte stream.
type exchange struct {
	base       http.RoundTripper
	target     string             // of the request line
	err        error              // the error of base
	stream     io.ReadWriteCloser // the body of a 101, as base returned it
	extensions []string           // the response's Sec-WebSocket-Extensions
	protocols  []string           // the response's Sec-WebSocket-Protocol
	location   []string           // the Location of a redirect
	response   *http.Response     // the 101
	conn       net.Conn           // that carried it, nil if base does not report it
}

func (x *exchange) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := x.base.RoundTrip(traced(x.exact(request), &x.conn))
	if err != nil {
		x.err = err
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		// http.Client repeats a Location that it cannot parse in its error. Without one
		// it returns the response.
		if location := response.Header["Location"]; location != nil && response.StatusCode/100 == 3 {
			x.location = location
			response.Header = response.Header.Clone()
			response.Header.Del("Location")
		}
		return response, nil
	}
	if response.Body == http.NoBody {
		// net/http does this for a 101 without "Connection: Upgrade";
		// coder/websocket reports it.
		return response, nil
	}
	stream, ok := response.Body.(io.ReadWriteCloser)
	if !ok {
		response.Body.Close()
		x.err = &permanent{errors.ErrUnsupported, fmt.Errorf("websocket: the HTTP client's transport %T gives a body that is no io.ReadWriteCloser with the status 101", x.base)}
		return nil, x.err
	}
	x.stream = stream
	// coder/websocket knows too few parameters to judge an extension, and compares
	// subprotocols without regard to case.
	x.extensions = response.Header.Values("Sec-WebSocket-Extensions")
	x.protocols = response.Header.Values("Sec-WebSocket-Protocol")
	x.response = response
	stub := *response
	stub.Header = response.Header.Clone()
	stub.Header.Del("Sec-WebSocket-Extensions")
	stub.Header.Del("Sec-WebSocket-Protocol")
	stub.Body = Inert{}
	return &stub, nil
}

// exact returns a copy of request with the field names in the RFC's spelling, and
// with the target unchanged where net/url would encode it in another way.
func (x *exchange) exact(request *http.Request) *http.Request {
	r := *request
	r.Header = Spelled(r.Header)
	if r.URL.RequestURI() != x.target {
		u := *r.URL
		u.Opaque, _, _ = strings.Cut(x.target, "?")
		r.URL = &u
	}
	return &r
}

// agree checks the choices of the server against the offers.
func (x *exchange) agree(r Request) (*Response, error) {
	subprotocol, err := chosenSubprotocol(x.protocols, r.Subprotocols)
	if err != nil {
		return nil, &permanent{errors.ErrSubprotocolMismatch, err}
	}
	deflate, err := rfc6455.AcceptResponse(x.extensions, r.Deflate, r.StrictWindow)
	if err != nil {
		return nil, &permanent{errors.ErrBadHandshake, fmt.Errorf("websocket: %w", err)}
	}
	agreed := &Response{
		Stream:      x.stream,
		Subprotocol: subprotocol,
		Deflate:     deflate,
		Extensions:  strings.Join(x.extensions, ", "),
		Answer:      newAnswer(x.response),
	}
	if conn := connOf(x.stream); conn != nil {
		if prefix, ok := readAhead(x.stream, conn); ok {
			agreed.Stream, agreed.Prefix = conn, prefix
		}
	}
	if _, ok := agreed.Stream.(net.Conn); !ok {
		agreed.Answer.cameOver(x.conn, x.response.TLS)
	}
	return agreed, nil
}

// chosenSubprotocol is as strict as a browser: names are case-sensitive, and if the
// client offers some, the server must choose one (WHATWG WebSockets, section 2.2).
func chosenSubprotocol(chosen, offered []string) (string, error) {
	switch {
	case len(chosen) == 0 && len(offered) == 0:
		return "", nil
	case len(chosen) == 0:
		return "", fmt.Errorf("websocket: the server chose none of the subprotocols %s", strings.Join(offered, ", "))
	case len(chosen) > 1:
		return "", fmt.Errorf("websocket: the server chose %d subprotocols, %s; one is allowed", len(chosen), strings.Join(chosen, ", "))
	case !slices.Contains(offered, chosen[0]):
		return "", fmt.Errorf("websocket: the server chose the subprotocol %q, which was not offered", chosen[0])
	}
	return chosen[0], nil
}

// close closes the stream of a handshake that failed.
func (x *exchange) close() {
	if x.stream != nil {
		x.stream.Close()
	}
}

// explain returns the error of a failed handshake.
func (x *exchange) explain(ctx context.Context, response *http.Response, err error) error {
	if x.err != nil {
		err = x.err // without the wrapping of http.Client and coder/websocket
	} else if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL
	} else if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	err = withoutURL(err)
	switch {
	case response != nil && response.StatusCode != http.StatusSwitchingProtocols:
		body, _ := io.ReadAll(response.Body) // coder/websocket has cut it at 1 KiB
		return &errors.ConnectionError{
			StatusCode: response.StatusCode,
			Header:     response.Header,
			Body:       body,
			Err:        newRefusal(response, body),
		}
	case ctx.Err() != nil:
		return &interrupted{err: ctx.Err(), cause: context.Cause(ctx), below: err}
	case response != nil:
		return &permanent{errors.ErrBadHandshake, err}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return &permanent{errors.ErrBadHandshake, fmt.Errorf("the server does not answer with TLS: %w", err)}
	}
	if strings.Contains(err.Error(), "malformed HTTP ") { // net/http has no name for it
		return &permanent{errors.ErrBadHandshake, fmt.Errorf("the server does not answer with HTTP/1.1: %w", err)}
	}
	if err == io.EOF {
		return fmt.Errorf("the server closed the connection in place of an answer: %w", err)
	}
	return err
}

// permanent is an error that also wraps a sentinel, which is not in its text.
type permanent struct{ sentinel, err error }

func (e *permanent) Error() string { return e.err.Error() }

func (e *permanent) Unwrap() []error { return []error{e.sentinel, e.err} }
