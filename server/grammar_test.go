//go:build !js

package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// TestMalformedRequests: a handshake whose fields do not follow their grammar is refused with a
// status (RFC 6455, sections 4.2 and 9.1), with compression and without.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]*server.Options{"without compression": nil, "with compression": {Compression: &ws.Compression{}}} {
		_, s := startEndpoint(t, echo, o)
		for _, test := range []struct {
			name    string
			request []string
			status  int
		}{
			{"no Host", with("Host:"), 400},
			{"two of Host", with("Host:+ other.example"), 400},
			{"an extension without a name", with("Sec-WebSocket-Extensions: ; a=b"), 400},
			{"an extension's parameter without a name", with("Sec-WebSocket-Extensions: permessage-deflate;;"), 400},
			{"an extension's value that is no token", with(`Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits="1 0"`), 400},
			{"a quoted string without an end", with(`Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits="10`), 400},
			{"extensions without a comma", with("Sec-WebSocket-Extensions: a b"), 400},
			{"the second line of extensions", with("Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Extensions:+ ="), 400},
			{"a control character in an extension", with("Sec-WebSocket-Extensions: a\x01"), 400},
			{"extensions with empty elements", with("Sec-WebSocket-Extensions: , x-a ,, x-b; c"), 101},
			{"an empty line of extensions", with("Sec-WebSocket-Extensions: "), 101},
		} {
			t.Run(test.name+", "+name, func(t *testing.T) {
				t.Parallel()
				response, _, _ := roundTrip(t, s, test.request)
				if response.StatusCode != test.status {
					t.Errorf("status %d, want %d", response.StatusCode, test.status)
				}
				if strings.Contains(test.name, "extension") && test.status == http.StatusBadRequest {
					body, _ := io.ReadAll(response.Body)
					if len(body) == 0 || response.Header.Get("Sec-Websocket-Accept") != "" {
						t.Errorf("the refusal is %v %q", response.Header, body)
					}
				}
			})
		}
	}
}

// TestAnswerHasEachFieldOnce: RFC 6455, sections 11.3.3 and 11.3.4, even if a middleware
// has set the fields.
func TestAnswerHasEachFieldOnce(t *testing.T) {
	t.Parallel()
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Upgrade", "Connection", "Sec-WebSocket-Extensions"} {
			w.Header().Set(name, "of a middleware")
		}
		conn, err := server.Accept(w, r, &server.Options{Subprotocols: []string{"chat"}, Compression: &ws.Compression{}})
		if err == nil {
			conn.Close(4000, "")
		}
	}))
	response, raw, _ := roundTrip(t, s, with("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"))
	raw.Close()
	for name, want := range map[string]string{
		"Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-Websocket-Protocol": "chat", "Upgrade": "websocket", "Connection": "Upgrade",
		"Sec-Websocket-Extensions": "permessage-deflate; server_no_context_takeover",
	} {
		if got := response.Header[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q once", name, got, want)
		}
	}
}
