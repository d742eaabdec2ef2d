//go:build !js

package attacks

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
)

// TestDraftFrames: the frames of the drafts before RFC 6455, whose length is a run of bytes without
// end, and lengths of RFC 6455 made of the same bytes, end the connection at once. No byte that
// follows becomes a message.
func TestDraftFrames(t *testing.T) {
	for name, first := range map[string][]byte{
		"a frame with a length":        {0x80},
		"another frame with a length":  {0xff},
		"a text frame":                 {0x00},
		"a text frame, then a length":  append([]byte("\x00Hello\xff"), 0x80),
		"the closing handshake":        {0xff, 0x00},
		"a binary frame of RFC 6455":   {0x82},
		"a text frame of RFC 6455":     {0x81},
		"a fragment of RFC 6455":       {0x01},
		"a ping of RFC 6455":           {0x89},
		"a length of zero, then a run": {0x80, 0x80},
	} {
		t.Run(name, func(t *testing.T) {
			onBothRoles(t, nil, func(t *testing.T, a *attacked) {
				run := bytes.Repeat([]byte{0xff}, 64<<10)
				allocates(t, mebibyte, func() {
					var attacker sync.WaitGroup
					attacker.Go(func() {
						if _, err := a.raw.Write(append(first, run...)); err != nil {
							return
						}
						for range 256 { // 16 MiB
							if _, err := a.raw.Write(run); err != nil {
								return
							}
						}
						a.raw.Write(a.appendFrame([]byte{0}, 0x81, 8, []byte("smuggled")))
					})
					a.mustClose(t, errors.ProtocolError)
					a.raw.Close()
					attacker.Wait()
				})
				if m, err := a.conn.Receive(within(t)); err == nil {
					t.Errorf("after the end came %q", m.Data)
				}
			})
		})
	}
}

// TestDraftHandshakes: neither a server nor a client speaks a protocol from before RFC 6455.
func TestDraftHandshakes(t *testing.T) {
	served := make(chan struct{}, 10)
	s := endpoint(t, func(context.Context, *server.Conn) error {
		served <- struct{}{}
		return nil
	}, &server.Options{OriginPatterns: []string{"*"}})
	const upgrade = "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nOrigin: http://example.com\r\n"
	for name, request := range map[string]string{
		"hixie-75": upgrade + "\r\n",
		"hixie-76": upgrade + "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U",
		"hybi-04":  upgrade + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 4\r\n\r\n",
		"hybi-07":  upgrade + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 7\r\n\r\n",
		"hybi-10":  upgrade + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
	} {
		response, _, _ := ask(t, s, request)
		if response.StatusCode != http.StatusUpgradeRequired || response.Header.Get("Sec-WebSocket-Version") != "13" {
			t.Errorf("%s: status %d, Sec-WebSocket-Version: %q, want 426 and 13", name, response.StatusCode, response.Header.Get("Sec-WebSocket-Version"))
		}
	}
	select {
	case <-served:
		t.Error("the program got a connection")
	default:
	}
	const draft = "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
	for name, lines := range map[string]string{
		"hixie-75": "WebSocket-Origin: http://example.com\r\nWebSocket-Location: ws://example.com/\r\n\r\n",
		"hixie-76": "Sec-WebSocket-Origin: http://example.com\r\nSec-WebSocket-Location: ws://example.com/\r\n\r\n8jKS'y:G*Co,Wxa-",
	} {
		conn, _, _, err := dialAnswer(t, &isosocket.DialOptions{}, func(string) string { return draft + lines })
		if err == nil {
			conn.CloseNow(errors.NormalClosure, "")
			t.Errorf("%s: a client took the answer", name)
		} else if !strings.Contains(err.Error(), "Sec-WebSocket-Accept") {
			t.Errorf("%s: %v, want an error about Sec-WebSocket-Accept", name, err)
		}
	}
}
