//go:build !js

package client_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// compressedFrames returns text messages in frames of a peer with context takeover and the
// largest window.
func compressedFrames(t *testing.T, masked bool, messages ...string) string {
	t.Helper()
	var frames, out bytes.Buffer
	w, err := flate.NewWriter(&out, 9)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		out.Reset()
		w.Write([]byte(m))
		w.Flush()
		payload := out.Bytes()[:out.Len()-4]
		header := []byte{0xc1, byte(len(payload))}
		if len(payload) > 125 {
			header = binary.BigEndian.AppendUint16([]byte{0xc1, 126}, uint16(len(payload)))
		}
		if masked {
			header[1] |= 0x80
			header = append(header, 0, 0, 0, 0) // a key that leaves the payload unchanged
		}
		frames.Write(header)
		frames.Write(payload)
	}
	return frames.String()
}

// TestDialServersThatIgnoreParameters checks servers that ignore parameters of the offer or
// answer with others. These parameters only save memory, so the connection must open, and the
// messages must inflate.
func TestDialServersThatIgnoreParameters(t *testing.T) {
	t.Parallel()
	// Mostly incompressible: the second message then refers to the distant first one, which a
	// window that is too small would not contain.
	far := strings.Builder{}
	for i := range uint32(6000) {
		far.WriteByte('A' + byte(i*2654435761>>27))
	}
	messages := []string{"first " + far.String(), "second " + far.String()}
	for _, test := range []struct {
		name        string
		compression ws.Compression
		answer      string
	}{
		{"no parameter at all, as Tornado and Mojolicious answer", ws.Compression{}, "permessage-deflate"},
		{"only the client's context", ws.Compression{}, "permessage-deflate; client_no_context_takeover"},
		{"a small window ignored", ws.Compression{MaxWindowBits: 9}, "permessage-deflate"},
		{"a small window ignored, with takeover", ws.Compression{MaxWindowBits: 9, ContextTakeover: true}, "permessage-deflate"},
		{"a small window exceeded", ws.Compression{MaxWindowBits: 9}, "permessage-deflate; server_max_window_bits=15"},
		{"a small window of the client exceeded", ws.Compression{MaxWindowBits: 9}, "permessage-deflate; client_max_window_bits=15"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := rawServer(t, func(accept string) string {
				return switching(accept, "Sec-WebSocket-Extensions: "+test.answer) + compressedFrames(t, false, messages...)
			})
			conn, err := isosocket.Dial(bounded(t), url, &isosocket.DialOptions{
				Compression: &test.compression, CloseTimeout: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(errors.NormalClosure, "")
			for i, want := range messages {
				m, err := conn.Receive(bounded(t))
				if err != nil || m.String() != want {
					t.Fatalf("message %d: %d bytes, %v", i, len(m.Data), err)
				}
			}
		})
	}
}

// TestClientThatKeepsItsContext checks a client that did not offer client_no_context_takeover
// and keeps its context, as Tornado's does, whatever the server prefers.
func TestClientThatKeepsItsContext(t *testing.T) {
	t.Parallel()
	messages := []string{strings.Repeat("the same again and again ", 100), strings.Repeat("the same again and again ", 100)}
	for name, compression := range map[string]ws.Compression{
		"default": {}, "takeover": {ContextTakeover: true}, "small windows": {MaxWindowBits: 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			received := make(chan string, len(messages))
			s := httptest.NewServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
				for range messages {
					m, err := conn.Receive(ctx)
					if err != nil {
						received <- err.Error()
						return err
					}
					received <- m.String()
				}
				return nil
			}, &server.Options{Compression: &compression}))
			t.Cleanup(s.Close)
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			frames := compressedFrames(t, true, messages...)
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+
				"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"+frames)
			for i, want := range messages {
				if got := <-received; got != want {
					t.Fatalf("message %d is %q", i, got)
				}
			}
		})
	}
}
