//go:build !js

package client_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// Some servers refuse the handshake if they support none of the offers. The Node library ws
// does, with clientMaxWindowBits set or serverMaxWindowBits turned off. A limit on the windows
// must not prevent the connection to these servers, unless it is strict.
func TestDialServerThatRefusesBoundsWith400(t *testing.T) {
	t.Parallel()
	addr := serveConns(t, func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		for _, offer := range strings.Split(request.Header.Get("Sec-WebSocket-Extensions"), ",") {
			if strings.TrimSpace(offer) != "permessage-deflate; client_max_window_bits" {
				continue
			}
			io.WriteString(conn, switching(acceptOf(request), "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=10"))
			// "Hello" as in RFC 7692, section 7.2.3.1, and a close frame.
			io.WriteString(conn, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x88\x02\x03\xe8")
			io.Copy(io.Discard, conn)
			return
		}
		io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
	})
	for bits := 9; bits <= 15; bits++ {
		conn, err := isosocket.Dial(bounded(t), "ws://"+addr, &isosocket.DialOptions{Compression: &ws.Compression{MaxWindowBits: bits}})
		if err != nil {
			t.Errorf("MaxWindowBits %d: %v", bits, err)
			continue
		}
		if m, err := conn.Receive(bounded(t)); err != nil || m.String() != "Hello" {
			t.Errorf("MaxWindowBits %d: Receive = %v, %v", bits, m, err)
		}
		if _, err := conn.Receive(bounded(t)); !errors.Is(err, errors.NormalClosure) {
			t.Errorf("MaxWindowBits %d: Receive = %v, want 1000", bits, err)
		}
	}
	_, err := isosocket.Dial(bounded(t), "ws://"+addr, &isosocket.DialOptions{Compression: &ws.Compression{MaxWindowBits: 10, StrictWindowBits: true}})
	if failed, ok := errors.AsType[*errors.ConnectionError](err); !ok || failed.StatusCode != http.StatusBadRequest {
		t.Errorf("strictly: %v, want status 400", err)
	}
}
