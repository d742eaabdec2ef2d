package wire

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455, section 1.3

	maxHead = 16 << 10
)

// Request returns the handshake request of a client, always with the same key. extensions is the
// value of Sec-WebSocket-Extensions, or "" for none.
func Request(host, extensions string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", host, key)
	if extensions != "" {
		fmt.Fprintf(&b, "Sec-WebSocket-Extensions: %s\r\n", extensions)
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// Response is the answer to [Request]. Servers can send it without parsing the request.
var Response = []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: " + accept + "\r\n\r\n")

// Dial connects to address and performs the handshake. It offers extensions. agreed is the
// server's answer, and rest holds frames that arrived with it.
func Dial(address, extensions string) (conn *net.TCPConn, agreed string, rest []byte, err error) {
	if conn, err = dialTCP(address); err != nil {
		return nil, "", nil, err
	}
	if agreed, rest, err = handshake(conn, address, extensions); err != nil {
		conn.Close()
		return nil, "", nil, err
	}
	return conn, agreed, rest, nil
}

// dialTCP returns a connection that Close resets: otherwise, every round would leave ten thousand
// ports in TIME_WAIT.
func dialTCP(address string) (*net.TCPConn, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	conn := c.(*net.TCPConn)
	if err := conn.SetLinger(0); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func handshake(conn net.Conn, host, extensions string) (agreed string, rest []byte, err error) {
	if _, err := conn.Write(Request(host, extensions)); err != nil {
		return "", nil, err
	}
	head, rest, err := readHead(conn)
	if err != nil {
		return "", nil, err
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		return "", nil, fmt.Errorf("wire: handshake refused: %s", line)
	}
	if got := field(head, "Sec-WebSocket-Accept"); got != accept {
		return "", nil, fmt.Errorf("wire: Sec-WebSocket-Accept is %q, not %q", got, accept)
	}
	return field(head, "Sec-WebSocket-Extensions"), rest, nil
}

// Accept performs the server's side of the handshake, without extensions.
func Accept(conn net.Conn) error {
	head, rest, err := readHead(conn)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errors.New("wire: the client sent frames before the end of the handshake")
	}
	sum := sha1.Sum([]byte(field(head, "Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	return err
}

// readHead reads up to the empty line that ends a request or response.
func readHead(r io.Reader) (head, rest []byte, err error) {
	b := make([]byte, 0, 1024)
	for {
		if len(b) == cap(b) {
			if len(b) >= maxHead {
				return nil, nil, fmt.Errorf("wire: no end of the header within %d bytes", maxHead)
			}
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
			return b[:i+2], b[i+4:], nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("wire: handshake: %w", err)
		}
	}
}

func field(head []byte, name string) string {
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
