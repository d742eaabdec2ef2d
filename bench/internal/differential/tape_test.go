package differential

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"time"
)

// key and its accept value are those of RFC 6455, section 1.3.
const key = "dGhlIHNhbXBsZSBub25jZQ=="

func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// tape is a net.Conn that plays wire and records what is written. For a client it first answers the
// handshake.
type tape struct {
	in      bytes.Reader
	out     bytes.Buffer
	wire    []byte
	answers bool // the handshake is still to be answered
	closed  bool
}

func newTape(r role, wire []byte) *tape {
	t := &tape{wire: wire, answers: r == client}
	if !t.answers {
		t.in.Reset(wire)
	}
	return t
}

func (t *tape) Write(b []byte) (int, error) {
	if t.closed {
		return 0, net.ErrClosed
	}
	t.out.Write(b)
	if t.answers && bytes.HasSuffix(t.out.Bytes(), []byte("\r\n\r\n")) {
		t.answers = false
		request, err := http.ReadRequest(bufio.NewReader(&t.out))
		if err != nil {
			return 0, err
		}
		answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			acceptOf(request.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n"
		t.in.Reset(append([]byte(answer), t.wire...))
		t.out.Reset()
	}
	return len(b), nil
}

func (t *tape) Read(b []byte) (int, error) {
	if t.closed {
		return 0, net.ErrClosed
	}
	n, err := t.in.Read(b)
	if err == io.EOF && len(b) == 0 {
		err = nil
	}
	return n, err
}

func (t *tape) Close() error {
	t.closed = true
	return nil
}

func (t *tape) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (t *tape) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (t *tape) SetDeadline(time.Time) error      { return nil }
func (t *tape) SetReadDeadline(time.Time) error  { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// request is a valid handshake of a client, with an offer of compression for inflating.
func request(r role) *http.Request {
	request, err := http.NewRequest(http.MethodGet, "http://localhost/", nil)
	if err != nil {
		panic(err) // the URL is constant
	}
	request.Header = http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {key},
	}
	if r == inflating {
		request.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
	}
	return request
}
