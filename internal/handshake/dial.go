//go:build !js

package handshake

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
)

// Request is what a client asks for.
type Request struct {
	// URL has the scheme ws or wss.
	URL string
	// Header holds further fields, as [RequestHeader] returns them. Dial takes
	// it over.
	Header http.Header
	// Host replaces the URL's host in the request, if it is not empty.
	Host string
	// Subprotocols are offered in this order of preference.
	Subprotocols []string
	// Deflate is what to offer for permessage-deflate, nil for no offer.
	Deflate *rfc6455.DeflateParams
	// Client carries the request. Its Transport must not be nil.
	Client *http.Client
}

// Response is what the server agreed to, and the stream that is now a
// WebSocket connection.
type Response struct {
	// Stream is the [net.Conn] below if net/http told which one it is, else the
	// response's body. It belongs to the caller.
	Stream io.ReadWriteCloser
	// Prefix holds the bytes that were read from Stream already.
	Prefix []byte
	// Subprotocol is what the server chose, "" if nothing was offered.
	Subprotocol string
	// Deflate is what holds for permessage-deflate, nil for no compression.
	Deflate *rfc6455.DeflateParams
}

// Dial performs the client's side of the handshake (RFC 6455, section 4.1).
// ctx bounds it. A refusal is an [*errors.ConnectionError] with the status,
// the header and the body's first KiB. If ctx has ended, the error wraps
// ctx.Err() and its cause.
func Dial(ctx context.Context, r Request) (*Response, error) {
	x := &exchange{base: r.Client.Transport}
	if r.Deflate != nil {
		r.Header.Set("Sec-WebSocket-Extensions", rfc6455.Offer(*r.Deflate))
	}
	client := *r.Client
	client.Transport = x
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	trace := &httptrace.ClientTrace{GotConn: x.gotConn}
	conn, response, err := websocket.Dial(httptrace.WithClientTrace(ctx, trace), r.URL, &websocket.DialOptions{
		HTTPClient:      &client,
		HTTPHeader:      r.Header,
		Host:            r.Host,
		Subprotocols:    r.Subprotocols,
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		x.close()
		return nil, x.explain(ctx, response, err)
	}
	conn.CloseNow() // it only ever had an Inert stream
	agreed, err := x.agree(r, response.Header)
	if err != nil {
		x.close()
		return nil, err
	}
	return agreed, nil
}

// exchange is the RoundTripper that keeps the byte stream of the one exchange
// it is used for.
type exchange struct {
	base       http.RoundTripper
	err        error              // what base failed with
	stream     io.ReadWriteCloser // the body of a 101, as base returned it
	extensions []string           // the response's Sec-WebSocket-Extensions

	mu   sync.Mutex
	conn net.Conn // what base sent the request on, if it told
}

// gotConn may be called by goroutines of base.
func (x *exchange) gotConn(info httptrace.GotConnInfo) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.conn = info.Conn
	if first, ok := info.Conn.(*ClientFirst); ok {
		x.conn = first.Conn // its time is over
	}
}

func (x *exchange) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := x.base.RoundTrip(request)
	if err != nil {
		x.err = err
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return response, nil
	}
	if response.Body == http.NoBody {
		// That is what net/http makes of a 101 without "Connection: Upgrade";
		// coder/websocket says so.
		return response, nil
	}
	stream, ok := response.Body.(io.ReadWriteCloser)
	if !ok {
		response.Body.Close()
		x.err = fmt.Errorf("websocket: the HTTP client's transport %T gives a body that is no io.ReadWriteCloser with the status 101", x.base)
		return nil, x.err
	}
	x.stream = stream
	// coder/websocket knows too few parameters to judge an extension.
	x.extensions = response.Header.Values("Sec-WebSocket-Extensions")
	stub := *response
	stub.Header = response.Header.Clone()
	stub.Header.Del("Sec-WebSocket-Extensions")
	stub.Body = Inert{}
	return &stub, nil
}

// agree holds what the server chose against what was offered.
func (x *exchange) agree(r Request, header http.Header) (*Response, error) {
	subprotocol, err := chosenSubprotocol(header.Values("Sec-WebSocket-Protocol"), r.Subprotocols)
	if err != nil {
		return nil, err
	}
	deflate, err := rfc6455.AcceptResponse(x.extensions, r.Deflate)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	agreed := &Response{Stream: x.stream, Subprotocol: subprotocol, Deflate: deflate}
	if x.conn == nil {
		return agreed, nil
	}
	if prefix, ok := readAhead(x.stream, x.conn); ok {
		agreed.Stream, agreed.Prefix = x.conn, prefix
	}
	return agreed, nil
}

// chosenSubprotocol is as strict as a browser: names are compared in case, and
// who offers some wants one of them (WHATWG WebSockets, section 2.2).
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

// close gives up the stream of a handshake that failed after all.
func (x *exchange) close() {
	if x.stream != nil {
		x.stream.Close()
	}
}

// explain says why there is no connection.
func (x *exchange) explain(ctx context.Context, response *http.Response, err error) error {
	if x.err != nil {
		err = x.err // without what http.Client and coder/websocket wrap around it
	} else if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
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
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("the server does not answer with TLS: %w", err)
	}
	if err == io.EOF {
		return fmt.Errorf("the server closed the connection in place of an answer: %w", err)
	}
	return err
}
