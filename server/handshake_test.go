//go:build !js

package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// start serves h and returns the server, which ends with the test.
func start(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// startEndpoint is start with an Endpoint, which is shut down with the test.
func startEndpoint(t *testing.T, serve func(context.Context, *server.Conn) error, o *server.Options) (*server.Endpoint, *httptest.Server) {
	t.Helper()
	e := server.Handler(serve, o)
	s := start(t, e)
	t.Cleanup(func() { mustShutdown(t, e) })
	return e, s
}

func mustShutdown(t *testing.T, e *server.Endpoint) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// timeout returns a context that ends after the longest time that a test may take.
func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func echo(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// goodRequest is a handshake, line by line, from RFC 6455, section 1.3.
var goodRequest = []string{
	"GET /chat HTTP/1.1",
	"Host: example.com",
	"Connection: Upgrade",
	"Upgrade: websocket",
	"Sec-WebSocket-Version: 13",
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
}

// with returns goodRequest with the lines of edits replacing those that have
// their beginning up to the colon (or the request line, for one without), or
// added. An edit that ends in a colon removes.
func with(edits ...string) []string {
	lines := slices.Clone(goodRequest)
	for _, edit := range edits {
		name, value, isField := strings.Cut(edit, ":")
		if !isField || strings.Contains(name, " ") {
			lines[0] = edit
			continue
		}
		had := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+":") })
		switch {
		case value == "":
			lines = slices.Delete(lines, had, had+1)
		case had >= 0 && !strings.HasPrefix(value, "+"):
			lines[had] = edit
		default:
			lines = append(lines, name+":"+strings.TrimPrefix(value, "+"))
		}
	}
	return lines
}

// roundTrip sends a request as it stands, followed by more bytes, and returns the answer
// and the connection.
func roundTrip(t *testing.T, s *httptest.Server, lines []string, more ...byte) (*http.Response, net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(append([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), more...)); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	method, _, _ := strings.Cut(lines[0], " ")
	response, err := http.ReadResponse(reader, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return response, conn, reader
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, &server.Options{Subprotocols: []string{"v2.chat", "v1.chat"}})
	for _, test := range []struct {
		name    string
		request []string
		want    map[string]string // of the answer's header
	}{
		{"the example of RFC 6455, section 1.3", goodRequest, map[string]string{
			"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
			"Sec-Websocket-Protocol": "", "Sec-Websocket-Extensions": "", "Content-Length": "",
		}},
		{"tokens in lists, in any case", with("Connection: keep-alive, uPGRADE", "Upgrade: h2c , WebSocket"), nil},
		{"tokens spread over lines", with("Connection: keep-alive", "Connection:+ Upgrade"), nil},
		{"the client's first choice", with("Sec-WebSocket-Protocol: v1.chat, v2.chat"), map[string]string{"Sec-Websocket-Protocol": "v1.chat"}},
		{"subprotocols over lines", with("Sec-WebSocket-Protocol: x", "Sec-WebSocket-Protocol:+ v2.chat"), map[string]string{"Sec-Websocket-Protocol": "v2.chat"}},
		{"subprotocols differ in case", with("Sec-WebSocket-Protocol: V1.CHAT"), map[string]string{"Sec-Websocket-Protocol": ""}},
		{"case decides between two", with("Sec-WebSocket-Protocol: V1.CHAT, v1.chat"), map[string]string{"Sec-Websocket-Protocol": "v1.chat"}},
		{"none of the subprotocols", with("Sec-WebSocket-Protocol: x,,y z, x"), map[string]string{"Sec-Websocket-Protocol": ""}},
		{"compression is not on", with("Sec-WebSocket-Extensions: permessage-deflate"), map[string]string{"Sec-Websocket-Extensions": ""}},
		{"the origin is the host", with("Origin: http://example.com"), nil},
		{"the origin with the default port", with("Origin: https://EXAMPLE.com:443"), nil},
		{"the host with the default port", with("Host: example.com:80", "Origin: http://example.com"), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response, _, _ := roundTrip(t, s, test.request)
			if response.StatusCode != http.StatusSwitchingProtocols {
				body, _ := io.ReadAll(response.Body)
				t.Fatalf("status %d: %s", response.StatusCode, body)
			}
			for name, want := range test.want {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestHandshakeRefused(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, &server.Options{OriginPatterns: []string{"*.friend.example"}})
	for _, test := range []struct {
		name     string
		request  []string
		status   int
		sentence string            // part of the body
		want     map[string]string // of the answer's header
	}{
		{"a plain GET", []string{"GET / HTTP/1.1", "Host: example.com"}, 426, "connect with a WebSocket client", map[string]string{
			"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13", "Content-Type": "text/plain; charset=utf-8",
			"Access-Control-Allow-Origin": "",
		}},
		{"a plain GET of a friend's page", []string{"GET / HTTP/1.1", "Host: example.com", "Origin: https://a.friend.example"}, 426, "connect with a WebSocket client", map[string]string{
			"Access-Control-Allow-Origin": "https://a.friend.example", "Access-Control-Allow-Credentials": "true", "Vary": "Origin", "Cache-Control": "no-store",
		}},
		{"a plain GET of a stranger's page", []string{"GET / HTTP/1.1", "Host: example.com", "Origin: https://evil.example"}, 403, `"https://evil.example"`, map[string]string{
			"Access-Control-Allow-Origin": "", "Vary": "Origin",
		}},
		{"a handshake of a stranger's page", with("Origin: https://evil.example"), 403, `"https://evil.example"`, map[string]string{"Access-Control-Allow-Origin": ""}},
		{"a stranger whose name ends alike", with("Origin: https://evilfriend.example"), 403, "may not connect", nil},
		{"another port of the host", with("Origin: http://example.com:8080"), 403, "may not connect", nil},
		{"an origin that is null", with("Origin: null"), 403, `"null"`, nil},
		{"an origin that is no URL", with("Origin: http://%zz"), 403, "may not connect", nil},
		{"two origins", with("Origin: http://example.com", "Origin:+ http://example.com"), 403, "2 Origin headers", nil},
		{"HTTP/1.0", with("GET /chat HTTP/1.0"), 426, "HTTP/1.0", nil},
		{"POST", with("POST /chat HTTP/1.1"), 405, "not POST", map[string]string{"Allow": "GET"}},
		{"HEAD", []string{"HEAD / HTTP/1.1", "Host: example.com"}, 405, "", map[string]string{"Allow": "GET"}},
		{"OPTIONS", []string{"OPTIONS / HTTP/1.1", "Host: example.com"}, 405, "not OPTIONS", map[string]string{"Allow": "GET"}},
		{"no Connection: Upgrade", with("Connection: keep-alive"), 426, "lacks the header Connection: Upgrade", nil},
		{"no Connection: Upgrade and no key", with("Connection: keep-alive", "Sec-WebSocket-Key:"), 426, "lacks the header Connection: Upgrade", nil},
		{"no Upgrade", with("Upgrade:"), 426, "lacks the header Upgrade: websocket", nil},
		{"another Upgrade", with("Upgrade: h2c"), 426, "lacks the header Upgrade: websocket", nil},
		{"no version", with("Sec-WebSocket-Version:"), 426, "lacks the header Sec-WebSocket-Version", map[string]string{"Sec-Websocket-Version": "13"}},
		{"another version", with("Sec-WebSocket-Version: 8"), 426, `the version ["8"]`, map[string]string{"Sec-Websocket-Version": "13"}},
		{"two versions", with("Sec-WebSocket-Version:+ 8"), 426, `["13" "8"]`, nil},
		{"no key", with("Sec-WebSocket-Key:"), 400, "lacks the header Sec-WebSocket-Key", nil},
		{"two keys", with("Sec-WebSocket-Key:+ dGhlIHNhbXBsZSBub25jZQ=="), 400, "has 2 headers Sec-WebSocket-Key", nil},
		{"a short key", with("Sec-WebSocket-Key: c2hvcnQ="), 400, "not 16 bytes in base64", nil},
		{"a long key", with("Sec-WebSocket-Key: " + strings.Repeat("QUFB", 6)), 400, "not 16 bytes in base64", nil},
		{"a key that is not base64", with("Sec-WebSocket-Key: ????????????????????????"), 400, "not 16 bytes in base64", nil},
		{"a body", with("Content-Length: 1"), 400, "no body", nil},
		{"a body in chunks", with("Transfer-Encoding: chunked"), 400, "no body", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response, _, _ := roundTrip(t, s, test.request)
			body, _ := io.ReadAll(response.Body)
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			if !strings.Contains(string(body), test.sentence) {
				t.Errorf("the body is %q, want %q in it", body, test.sentence)
			}
			for name, want := range test.want {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestOriginPatterns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		patterns []string
		origin   string
		allowed  bool
	}{
		{nil, "http://example.com", true},
		{nil, "http://other.example", false},
		{[]string{"other.example"}, "http://other.example", true},
		{[]string{"other.example"}, "https://OTHER.example", true},
		{[]string{"Other.Example"}, "https://other.example:443", true},
		{[]string{"other.example"}, "https://other.example:444", false},
		{[]string{"other.example"}, "https://sub.other.example", false},
		{[]string{"*.other.example"}, "https://sub.other.example", true},
		{[]string{"*.other.example"}, "https://other.example", false},
		{[]string{"localhost:*"}, "http://localhost:5173", true},
		{[]string{"localhost:*"}, "http://localhost.evil.example:80", false},
		{[]string{"https://other.example"}, "https://other.example", true},
		{[]string{"https://other.example"}, "http://other.example", false},
		{[]string{"a.example", "b.example"}, "http://b.example", true},
		{[]string{"*"}, "https://anything.example:1", true},
		{[]string{"*"}, "null", true},
		{[]string{"null"}, "null", true},
		{[]string{"*.example"}, "null", false},
		{[]string{`\[::1\]:*`}, "http://[::1]:3000", true},
		{[]string{"[::1]:3000"}, "http://[::1]:3000", true},
		{[]string{"[::1]:3000"}, "http://[::1]:3001", false},
		{[]string{"[::1]:*"}, "http://[::1]:3001", true},
		{[]string{"http://[::1]"}, "http://[::1]", true},
		{[]string{"[::1]"}, "http://:", false},
		{[]string{"[ab].example"}, "http://a.example", true},
		{[]string{"https://other.example:443"}, "https://other.example", true},
		{[]string{"other.example:443"}, "https://other.example", true},
		{[]string{"other.example:443"}, "http://other.example", false},
		{[]string{"http://other.example:80/"}, "http://other.example", true},
		{[]string{"https://other.example/"}, "https://other.example", true},
		{[]string{"HTTPS://Other.Example"}, "https://other.example", true},
		{[]string{"other.example."}, "https://other.example", true},
		{[]string{"other.example.:8443"}, "https://other.example.:8443", true},
		{[]string{"localhost:*"}, "http://localhost", true},
		{[]string{"b\u00fccher.example"}, "https://xn--bcher-kva.example", true},
		{[]string{"*.B\u00dcCHER.example"}, "https://shop.xn--bcher-kva.example", true},
		{[]string{"app://local"}, "app://local", true},
	} {
		t.Run(fmt.Sprint(test.patterns, " and ", test.origin), func(t *testing.T) {
			t.Parallel()
			_, s := startEndpoint(t, echo, &server.Options{OriginPatterns: test.patterns})
			response, _, _ := roundTrip(t, s, with("Origin: "+test.origin))
			if allowed := response.StatusCode == http.StatusSwitchingProtocols; allowed != test.allowed {
				t.Errorf("status %d", response.StatusCode)
			}
		})
	}
}

func TestCompressionNegotiated(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		compression ws.Compression
		offer, want string
	}{
		{"without context takeover unless asked", ws.Compression{}, "permessage-deflate",
			"permessage-deflate; server_no_context_takeover"},
		{"without the client's context takeover if it offers that", ws.Compression{}, "permessage-deflate; client_no_context_takeover",
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"windows that the client cannot be asked for", ws.Compression{MaxWindowBits: 10}, "permessage-deflate",
			"permessage-deflate; server_no_context_takeover; server_max_window_bits=10"},
		{"windows that the client cannot be asked for, insisted on", ws.Compression{MaxWindowBits: 10, StrictWindowBits: true}, "permessage-deflate", ""},
		{"with context takeover", ws.Compression{ContextTakeover: true}, "permessage-deflate; client_max_window_bits", "permessage-deflate"},
		{"smaller windows", ws.Compression{ContextTakeover: true, MaxWindowBits: 10}, "permessage-deflate; client_max_window_bits",
			"permessage-deflate; server_max_window_bits=10; client_max_window_bits=10"},
		{"another extension", ws.Compression{}, "x-webkit-deflate-frame", ""},
		{"parameters that do not exist", ws.Compression{}, "permessage-deflate; level=9", ""},
		{"no offer", ws.Compression{}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, s := startEndpoint(t, echo, &server.Options{Compression: &test.compression})
			request := goodRequest
			if test.offer != "" {
				request = with("Sec-WebSocket-Extensions: " + test.offer)
			}
			response, _, _ := roundTrip(t, s, request)
			if got := response.Header.Get("Sec-WebSocket-Extensions"); response.StatusCode != 101 || got != test.want {
				t.Errorf("status %d, Sec-WebSocket-Extensions: %q, want %q", response.StatusCode, got, test.want)
			}
		})
	}
}

func TestChooseSubprotocol(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, &server.Options{
		Subprotocols: []string{"ignored"},
		ChooseSubprotocol: func(r *http.Request, offered []string) string {
			if len(offered) != 2 || offered[0] != "a" || offered[1] != "ignored" {
				t.Errorf("offered = %q", offered)
			}
			offered[0] = "changed" // has no effect
			return r.URL.Query().Get("choose")
		},
	})
	for _, test := range []struct {
		choose string
		status int
		want   string
	}{
		{"a", 101, "a"}, {"ignored", 101, "ignored"}, {"", 101, ""}, {"other", 500, ""}, {"changed", 500, ""},
	} {
		response, _, _ := roundTrip(t, s, with("GET /?choose="+test.choose+" HTTP/1.1", "Sec-WebSocket-Protocol: a, ignored, a,\tb c"))
		if got := response.Header.Get("Sec-WebSocket-Protocol"); response.StatusCode != test.status || got != test.want {
			t.Errorf("%q: status %d, Sec-WebSocket-Protocol: %q", test.choose, response.StatusCode, got)
		}
	}
	// Without an offer ChooseSubprotocol is not called.
	if response, _, _ := roundTrip(t, s, goodRequest); response.StatusCode != 101 {
		t.Errorf("without an offer: status %d", response.StatusCode)
	}
}

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		options server.Options
		want    string // part of the error
	}{
		{"two wishes for heartbeats", server.Options{AnswerHeartbeat: &ws.Heartbeat{}, DisableHeartbeatAnswer: true}, "DisableHeartbeatAnswer"},
		{"a pattern", server.Options{OriginPatterns: []string{"[a-"}}, `"[a-"`},
		{"an empty pattern", server.Options{OriginPatterns: []string{""}}, `""`},
		{"a pattern with a path", server.Options{OriginPatterns: []string{"https://example.com/app"}}, "more than a scheme, a host and a port"},
		{"a pattern with a user", server.Options{OriginPatterns: []string{"me@example.com"}}, "more than a scheme, a host and a port"},
		{"a pattern of a WebSocket URL", server.Options{OriginPatterns: []string{"wss://example.com"}}, `write "https://example.com"`},
		{"a pattern with a wildcard in an international part", server.Options{OriginPatterns: []string{"b\u00fc*.example"}}, "xn--"},
		{"a subprotocol", server.Options{Subprotocols: []string{"a b"}}, `"a b"`},
		{"a subprotocol twice", server.Options{Subprotocols: []string{"a", "a"}}, `"a" twice`},
		{"a compression level", server.Options{Compression: &ws.Compression{Level: 10}}, "Level is 10; allowed are 1 to 9"},
		{"window bits", server.Options{Compression: &ws.Compression{MaxWindowBits: 8}}, "MaxWindowBits is 8; allowed are 9 to 15"},
		{"a threshold", server.Options{Compression: &ws.Compression{Threshold: -1}}, "Threshold is -1"},
		{"a heartbeat", server.Options{AnswerHeartbeat: &ws.Heartbeat{Every: -1}}, "Every"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var err error
			s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err = server.Accept(w, r, &test.options)
			}))
			response, _, _ := roundTrip(t, s, goodRequest)
			body, _ := io.ReadAll(response.Body)
			if response.StatusCode != 500 || !strings.Contains(string(body), "misconfigured") {
				t.Errorf("status %d: %s", response.StatusCode, body)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Accept = %v, want %s in it", err, test.want)
			}
			if strings.Contains(string(body), test.want) {
				t.Errorf("the client got %q", body)
			}
		})
	}
}

func TestAcceptError(t *testing.T) {
	t.Parallel()
	errs := make(chan error, 1)
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := server.Accept(w, r, nil)
		errs <- err
	}))
	roundTrip(t, s, with("GET /a%20b?token=secret HTTP/1.1", "Sec-WebSocket-Key: short"))
	err := <-errs
	refused, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok || refused.StatusCode != 400 || refused.URL != "ws://example.com/a%20b" || !errors.Is(err, errors.ErrWebSocket) {
		t.Errorf("Accept = %#v", err)
	}
	const want = `websocket: cannot connect to "ws://example.com/a%20b": HTTP status 400: The Sec-WebSocket-Key "short" of the WebSocket handshake is not 16 bytes in base64.`
	if err.Error() != want {
		t.Errorf("Accept = %v\nwant     %s", err, want)
	}
}

// A client may send data right after its request, and net/http reads ahead.
func TestMessageInThePacketOfTheHandshake(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, nil)
	response, _, reader := roundTrip(t, s, goodRequest, 0x81, 0x82, 0, 0, 0, 0, 'h', 'i')
	if response.StatusCode != 101 {
		t.Fatalf("status %d", response.StatusCode)
	}
	frame := make([]byte, 4)
	if _, err := io.ReadFull(reader, frame); err != nil || string(frame) != "\x81\x02hi" {
		t.Errorf("the answer is %q, %v", frame, err)
	}
}

// plainWriter hides the methods of the underlying writer; Unwrap reveals them.
type plainWriter struct{ http.ResponseWriter }

type unwrapping struct{ plainWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// refusingHijacker has the method Hijack, which fails.
type refusingHijacker struct{ plainWriter }

func (refusingHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrHijacked
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		wrap   func(http.ResponseWriter) http.ResponseWriter
		status int
		want   string // of the error
	}{
		{"that unwraps", func(w http.ResponseWriter) http.ResponseWriter { return unwrapping{plainWriter{w}} }, 101, ""},
		{"that unwraps twice", func(w http.ResponseWriter) http.ResponseWriter {
			return unwrapping{plainWriter{unwrapping{plainWriter{w}}}}
		}, 101, ""},
		{"that hides", func(w http.ResponseWriter) http.ResponseWriter { return plainWriter{w} }, 501,
			"server_test.plainWriter cannot be hijacked: feature not supported; give the middleware's writer a method Unwrap() http.ResponseWriter, or mount"},
		{"that hides behind one that unwraps", func(w http.ResponseWriter) http.ResponseWriter {
			return unwrapping{plainWriter{plainWriter{w}}}
		}, 501, "cannot be hijacked"},
		{"that fails to hijack", func(w http.ResponseWriter) http.ResponseWriter { return refusingHijacker{plainWriter{w}} }, 500, "hijack: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			errs := make(chan error, 1)
			s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Set-Cookie", "session=1")
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Content-Length", "5")
				conn, err := server.Accept(test.wrap(w), r, &server.Options{Subprotocols: []string{"a"}})
				if err == nil {
					go conn.Close(errors.NormalClosure, "")
				}
				errs <- err
			}))
			response, conn, _ := roundTrip(t, s, with("Sec-WebSocket-Protocol: a"))
			body, _ := io.ReadAll(io.LimitReader(response.Body, response.ContentLength))
			conn.Close()
			err := <-errs
			if response.StatusCode != test.status || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("status %d, error %v", response.StatusCode, err)
			}
			if got := response.Header.Get("Set-Cookie"); got != "session=1" {
				t.Errorf("Set-Cookie: %q", got)
			}
			if test.status == 101 {
				if got := response.Header.Get("Content-Type") + response.Header.Get("Content-Length"); got != "" {
					t.Errorf("the 101 describes a body: %q", got)
				}
				return
			}
			for _, name := range []string{"Sec-Websocket-Accept", "Sec-Websocket-Protocol", "Upgrade"} {
				if got := response.Header.Get(name); got != "" {
					t.Errorf("the refusal has %s: %q", name, got)
				}
			}
			if len(body) == 0 || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("the refusal has the body %q of %s", body, response.Header.Get("Content-Type"))
			}
		})
	}
}

// Even without a Logger, a developer sees why a connection cannot be hijacked: once in the
// log and, on the same machine, in the refusal.
func TestHiddenConnectionIsExplained(t *testing.T) {
	t.Parallel()
	var lines logBuffer
	e := server.Handler(echo, nil)
	s := httptest.NewUnstartedServer(http.TimeoutHandler(e, time.Minute, ""))
	s.Config.ErrorLog = log.New(&lines, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	const advice = "ive the middleware's writer a method Unwrap() http.ResponseWriter, or mount the endpoint outside of the middleware"
	for _, forwarded := range []bool{false, false, true} {
		header := http.Header{}
		if forwarded {
			header.Set("X-Forwarded-For", "192.0.2.1")
		}
		_, err := isosocket.Dial(t.Context(), s.URL, &isosocket.DialOptions{Header: header})
		failed, ok := errors.AsType[*errors.ConnectionError](err)
		if !ok || failed.StatusCode != 501 || strings.Contains(string(failed.Body), advice) == forwarded {
			t.Errorf("forwarded %v: %v, %q", forwarded, err, failed.Body)
		}
	}
	if got := lines.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "*http.timeoutWriter cannot be hijacked") || !strings.Contains(got, advice) {
		t.Errorf("logged %q", got)
	}
}

// HTTP/2 has no Upgrade; a browser asks there why a handshake failed.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	e := server.Handler(echo, nil)
	s := httptest.NewUnstartedServer(e)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	t.Cleanup(func() { mustShutdown(t, e) })
	request, _ := http.NewRequest(http.MethodGet, s.URL, nil)
	request.Header.Set("Origin", s.URL)
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.ProtoMajor != 2 || response.StatusCode != 426 || !strings.Contains(string(body), "HTTP/1.1, not in HTTP/2.0") {
		t.Errorf("%s %d: %s", response.Proto, response.StatusCode, body)
	}
	if got := response.Header.Get("Access-Control-Allow-Origin"); got != s.URL {
		t.Errorf("Access-Control-Allow-Origin: %q", got)
	}
}

// deadlineConn records its deadlines.
type deadlineConn struct {
	net.Conn
	read, write *time.Time
}

func (c deadlineConn) SetDeadline(t time.Time) error {
	*c.read, *c.write = t, t
	return c.Conn.SetDeadline(t)
}

func (c deadlineConn) SetReadDeadline(t time.Time) error {
	*c.read = t
	return c.Conn.SetReadDeadline(t)
}

func (c deadlineConn) SetWriteDeadline(t time.Time) error {
	*c.write = t
	return c.Conn.SetWriteDeadline(t)
}

type deadlineListener struct {
	net.Listener
	read, write *time.Time
}

func (l deadlineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return deadlineConn{conn, l.read, l.write}, err
}

// Limits on requests do not limit connections.
func TestTimeoutsOfTheServerDoNotBoundConnections(t *testing.T) {
	t.Parallel()
	var read, write time.Time
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour))
		conn, err := server.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if !read.IsZero() || !write.IsZero() {
			t.Errorf("deadlines are left: read %v, write %v", read, write)
		}
		conn.Close(errors.NormalClosure, "")
	}))
	s.Config.ReadTimeout, s.Config.WriteTimeout = time.Hour, time.Hour
	s.Listener = deadlineListener{s.Listener, &read, &write}
	s.Start()
	t.Cleanup(s.Close)
	_, conn, _ := roundTrip(t, s, goodRequest)
	conn.Close()
}

func TestRequestStaysReachable(t *testing.T) {
	t.Parallel()
	conns := make(chan *server.Conn, 1)
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		conns <- conn
		return echo(ctx, conn)
	}, nil)
	s := httptest.NewUnstartedServer(e)
	s.StartTLS()
	t.Cleanup(s.Close)
	t.Cleanup(func() { mustShutdown(t, e) })
	dialer := tls.Dialer{Config: s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()}
	client, err := dialer.DialContext(timeout(t), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	io.WriteString(client, strings.Join(with("GET /room/7?as=ann HTTP/1.1", "Cookie: session=1"), "\r\n")+"\r\n\r\n")
	conn := <-conns
	if conn.TLS() == nil || !conn.TLS().HandshakeComplete {
		t.Errorf("TLS = %v", conn.TLS())
	}
	if conn.URL().String() != "/room/7?as=ann" || conn.Host() != "example.com" || conn.RemoteAddr() != client.LocalAddr().String() {
		t.Errorf("URL %v, Host %q, RemoteAddr %q", conn.URL(), conn.Host(), conn.RemoteAddr())
	}
	if got := conn.Header(); len(got) != 1 || got.Get("Cookie") != "session=1" {
		t.Errorf("Header = %v", got)
	}
}

// brokenConn is the connection of a client that is gone.
type brokenConn struct{ net.Conn }

func (brokenConn) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

type brokenHijacker struct{ plainWriter }

func (b brokenHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(b.ResponseWriter).Hijack()
	return brokenConn{conn}, buffered, err
}

func TestClientIsGoneBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	errs := make(chan error, 1)
	s := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := server.Accept(brokenHijacker{plainWriter{w}}, r, nil)
		errs <- err
	}))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, strings.Join(goodRequest, "\r\n")+"\r\n\r\n")
	if got, err := io.ReadAll(conn); len(got) != 0 || err != nil {
		t.Errorf("the answer is %q, %v", got, err)
	}
	err = <-errs
	failed, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok || failed.StatusCode != 0 || !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), "the client was gone before the answer") {
		t.Errorf("Accept = %v", err)
	}
}

// FuzzHandshake sends arbitrary requests that net/http's parser accepts.
func FuzzHandshake(f *testing.F) {
	f.Add("Upgrade", "websocket", "13", "dGhlIHNhbXBsZSBub25jZQ==", "chat, x", "permessage-deflate; client_max_window_bits", "http://example.com")
	f.Add("close, upgrade", "h2c,WEBSOCKET", "8", "", ",,;", `permessage-deflate; server_max_window_bits="9"`, "null")
	o := &server.Options{Subprotocols: []string{"chat"}, Compression: &ws.Compression{}, OriginPatterns: []string{"*.example"}}
	f.Fuzz(func(t *testing.T, connection, upgrade, version, key, protocol, extensions, origin string) {
		r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
		r.Header = http.Header{
			"Connection": {connection}, "Upgrade": {upgrade}, "Sec-Websocket-Version": {version}, "Sec-Websocket-Key": {key},
			"Sec-Websocket-Protocol": {protocol}, "Sec-Websocket-Extensions": {extensions}, "Origin": {origin},
		}
		w := httptest.NewRecorder() // which cannot be hijacked
		_, err := server.Accept(w, r, o)
		refused, ok := errors.AsType[*errors.ConnectionError](err)
		if !ok || refused.StatusCode != w.Code || w.Code < 400 || w.Body.Len() == 0 {
			t.Errorf("status %d, %q, error %v", w.Code, w.Body, err)
		}
		if w.Code == 500 {
			t.Errorf("a faulty request is reported as a failure of the server: %v", err)
		}
	})
}

// TestRefusedOriginSaysHowToAllowIt: a client on the same machine gets the values that were
// compared, and so does the log of an endpoint, once for each origin.
func TestRefusedOriginSaysHowToAllowIt(t *testing.T) {
	t.Parallel()
	logged := &logBuffer{}
	_, s := startEndpoint(t, echo, &server.Options{Logger: slog.New(slog.NewTextHandler(logged, nil))})
	for range 3 {
		response, _, _ := roundTrip(t, s, with("Origin: https://app.example:443", "Host: backend:8080"))
		body, _ := io.ReadAll(response.Body)
		for _, want := range []string{`"backend:8080"`, "OriginPatterns", `"https://app.example"`} {
			if response.StatusCode != http.StatusForbidden || !strings.Contains(string(body), want) {
				t.Errorf("status %d, %q, want %s in it", response.StatusCode, body, want)
			}
		}
	}
	for i := range 300 {
		roundTrip(t, s, with("Origin: https://"+strconv.Itoa(i)+".example"))
	}
	log := logged.String()
	if n := strings.Count(log, "origin=https://app.example:443"); n != 1 || !strings.Contains(log, "host=backend:8080") || !strings.Contains(log, "level=WARN") {
		t.Errorf("the log has the origin %d times: %.2000s", n, log)
	}
	if n := strings.Count(log, "\n"); n > 100 {
		t.Errorf("remote clients caused %d lines of log", n)
	}

	// A remote client gets no advice.
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	request.Header.Set("Origin", "https://app.example")
	answer := httptest.NewRecorder() // from 192.0.2.1
	server.Handler(echo, nil).ServeHTTP(answer, request)
	if answer.Code != http.StatusForbidden || strings.Contains(answer.Body.String(), "OriginPatterns") {
		t.Errorf("status %d, %q", answer.Code, answer.Body)
	}
}

// TestNullOriginIsNeverAdvised: every sandboxed page has the origin "null", so a pattern
// for it would allow unknown pages, and "*" allows every page.
func TestNullOriginIsNeverAdvised(t *testing.T) {
	t.Parallel()
	logged := &logBuffer{}
	_, s := startEndpoint(t, echo, &server.Options{Logger: logged.logger()})
	response, _, _ := roundTrip(t, s, with("Origin: null"))
	body, _ := io.ReadAll(response.Body)
	for name, text := range map[string]string{"answer": string(body), "log": logged.String()} {
		if strings.Contains(text, `"*"`) || strings.Contains(text, "allow=*") || strings.Contains(text, "Add the pattern") || !strings.Contains(text, "names no host") {
			t.Errorf("the %s is %q", name, text)
		}
	}
}

// TestForwardedRequestsAreNotLocal: behind a proxy on the same machine every client has a
// loopback address.
func TestForwardedRequestsAreNotLocal(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, nil)
	for _, field := range []string{"X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "Via: 1.1 proxy"} {
		response, _, _ := roundTrip(t, s, with("Origin: https://evil.example", field))
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusForbidden || strings.Contains(string(body), "OriginPatterns") {
			t.Errorf("with %s: status %d, %q", field, response.StatusCode, body)
		}
	}
}
