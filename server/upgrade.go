//go:build !js

package server

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/handshake"
	"github.com/isosocket/isosocket/internal/http2stream"
	"github.com/isosocket/isosocket/internal/rfc6455"
)

// responseTimeout limits the write of the 101 response. On a new connection the
// write normally succeeds at once.
const responseTimeout = 10 * time.Second

// upgrade is the http.ResponseWriter that coder/websocket gets. It hijacks the
// real one and keeps the connection. coder/websocket has by then checked the request
// and set the header of the answer; it must not create a connection.
type upgrade struct {
	http.ResponseWriter
	subprotocol string
	plain       bool                   // no compression is to be agreed on
	principal   any                    // returned by Authorize
	extension   string                 // the answer for permessage-deflate, "" for no compression
	deflate     *rfc6455.DeflateParams // the meaning of extension

	stream *http2stream.Stream // of an extended CONNECT, otherwise nil
	conn   net.Conn
	prefix []byte // bytes that net/http has already read from conn
	err    error  // why conn is nil
}

// WriteHeader ignores the 101, which Hijack writes: a connection that cannot be
// hijacked can then still be refused with a text. accept answers with any other
// status.
func (u *upgrade) WriteHeader(int) {}

// Write drops the text of coder/websocket's refusal.
func (u *upgrade) Write(p []byte) (int, error) { return len(p), nil }

// errKept is returned to coder/websocket instead of the connection.
var errKept = errors.New("websocket: the connection is kept")

// Hijack implements [http.Hijacker]. It always returns an error: errKept if the
// handshake is done.
func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		u.err = err
		return nil, nil, err
	}
	// From here on the request can no longer be answered with a status.
	u.conn = upgraded(conn)
	if n := buffered.Reader.Buffered(); n > 0 {
		ahead, _ := buffered.Reader.Peek(n)
		u.prefix = bytes.Clone(ahead)
	}
	if err := u.respond(); err != nil {
		conn.Close()
		u.err = fmt.Errorf("websocket: the client was gone before the answer: %w", err)
		return nil, nil, err
	}
	return nil, nil, errKept
}

// respond writes the 101 with the header fields that coder/websocket, the
// middlewares and upgrade itself have set.
func (u *upgrade) respond() error {
	header := u.Header()
	if u.subprotocol != "" {
		header["Sec-Websocket-Protocol"] = []string{u.subprotocol}
	}
	if u.extension != "" {
		header["Sec-Websocket-Extensions"] = []string{u.extension}
	}
	var b bytes.Buffer
	b.Grow(256)
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	handshake.Spelled(header).WriteSubset(&b, bodyFields)
	b.WriteString("\r\n")
	_ = u.conn.SetDeadline(time.Now().Add(responseTimeout))
	if _, err := u.conn.Write(b.Bytes()); err != nil {
		return err
	}
	// This also removes the deadlines of the http.Server. A net.Conn may not support
	// deadlines; then there are none to remove.
	_ = u.conn.SetDeadline(time.Time{})
	return nil
}

// bodyFields describe a body, and a 101 has none.
var bodyFields = map[string]bool{"Content-Length": true, "Content-Type": true, "Transfer-Encoding": true, "Trailer": true}

// refusal returns the answer for the handshake r that coder/websocket rejected with err
// before there was a connection.
func (u *upgrade) refusal(r *http.Request, err error) *refusal {
	for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Accept", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions"} {
		u.Header().Del(name)
	}
	if u.err == nil {
		return refuse(http.StatusBadRequest, "%v.", err)
	}
	if errors.Is(u.err, http.ErrNotSupported) {
		return cannotHijack(u.ResponseWriter, r, u.err)
	}
	return &refusal{
		status:   http.StatusInternalServerError,
		sentence: "The connection could not be taken over.",
		err:      fmt.Errorf("websocket: hijack: %w", u.err),
	}
}

// cannotHijack refuses a request whose connection a middleware hides. As with a refused
// origin, a client on the same machine gets the advice, too.
func cannotHijack(w http.ResponseWriter, r *http.Request, err error) *refusal {
	hidden := &hiddenError{writer: fmt.Sprintf("%T", w), err: err}
	f := &refusal{
		status:   http.StatusNotImplemented,
		sentence: "This WebSocket endpoint cannot take over the connection: a middleware in front of it hides it.",
		err:      hidden,
	}
	if isLocal(r) {
		f.sentence += " G" + hiddenAdvice[1:] + "."
	}
	return f
}

// hiddenError is an http.ResponseWriter that hides the connection.
type hiddenError struct {
	writer string // its type
	err    error
}

const hiddenAdvice = "give the middleware's writer a method Unwrap() http.ResponseWriter, " +
	"or mount the endpoint outside of the middleware, which is the only way with http.TimeoutHandler"

func (e *hiddenError) Error() string {
	return "websocket: the http.ResponseWriter " + e.writer + " cannot be hijacked: " + e.err.Error() + "; " + hiddenAdvice
}

func (e *hiddenError) Unwrap() error { return e.err }
