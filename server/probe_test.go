//go:build !js

package server_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
)

const handshakeType = "application/vnd.isosocket.handshake"

// probe is the request with which this library's client finds out in a browser
// why a handshake failed.
func probe(t *testing.T, url, accept string, header http.Header) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(timeout(t), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Accept", accept)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// TestProbe: the answer to a probe is that to the handshake, with the mark, and without a
// connection or a login dialog.
func TestProbe(t *testing.T) {
	t.Parallel()
	authorize := func(r *http.Request) (any, error) {
		protocols := r.Header.Get("Sec-Websocket-Protocol")
		switch {
		case r.FormValue("ticket") == "good", strings.Contains(protocols, "token.good"):
			return "alice", nil
		case r.FormValue("ticket") == "later":
			return nil, &errors.ConnectionError{StatusCode: 503, Header: http.Header{"Retry-After": {"7"}}, Body: []byte("Come back later.")}
		}
		return nil, &errors.ConnectionError{StatusCode: 401, Header: http.Header{"WWW-Authenticate": {"Basic"}}}
	}
	for _, test := range []struct {
		name   string
		o      server.Options
		query  string
		accept string
		origin string
		status int
		header map[string]string
	}{
		{"would be accepted", server.Options{}, "", handshakeType, "", 200, nil},
		{"from an origin that is allowed", server.Options{OriginPatterns: []string{"app.example"}}, "", handshakeType, "https://app.example", 200,
			map[string]string{"Access-Control-Allow-Origin": "https://app.example", "Access-Control-Allow-Credentials": "true"}},
		{"from an origin that is not", server.Options{}, "", handshakeType, "https://evil.example", 403,
			map[string]string{"Access-Control-Allow-Origin": ""}},
		{"misconfigured", server.Options{Subprotocols: []string{"no token"}}, "", handshakeType, "", 500, nil},
		{"authorised by the query", server.Options{Authorize: authorize}, "?ticket=good", handshakeType, "", 200, nil},
		{"authorised by a subprotocol", server.Options{Authorize: authorize}, "", handshakeType + ";p=chat;p=token.good", "", 200, nil},
		{"not authorised", server.Options{Authorize: authorize}, "?ticket=bad", handshakeType, "", 401, map[string]string{"WWW-Authenticate": ""}},
		{"not now", server.Options{Authorize: authorize}, "?ticket=later", handshakeType, "", 503, map[string]string{"Retry-After": "7"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var called atomic.Bool
			_, s := startEndpoint(t, func(context.Context, *server.Conn) error { called.Store(true); return nil }, &test.o)
			header := http.Header{}
			if test.origin != "" {
				header.Set("Origin", test.origin)
			}
			response := probe(t, s.URL+"/chat"+test.query, test.accept, header)
			if response.StatusCode != test.status || !strings.HasPrefix(response.Header.Get("Content-Type"), handshakeType) {
				t.Errorf("status %d, %q", response.StatusCode, response.Header.Get("Content-Type"))
			}
			if response.Header.Get("Cache-Control") != "no-store" {
				t.Error("the answer may be cached")
			}
			for name, want := range test.header {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if called.Load() {
				t.Error("the function was called")
			}
		})
	}
}

// TestNoProbe: a request that only looks like a probe gets the usual answer.
func TestNoProbe(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, nil)
	for _, accept := range []string{"*/*", "text/html, " + handshakeType, handshakeType + "+json"} {
		response := probe(t, s.URL, accept, nil)
		if response.StatusCode != http.StatusUpgradeRequired || strings.HasPrefix(response.Header.Get("Content-Type"), handshakeType) {
			t.Errorf("Accept: %s gets the status %d, %q", accept, response.StatusCode, response.Header.Get("Content-Type"))
		}
	}
	response, _, _ := roundTrip(t, s, with("Accept: "+handshakeType))
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("a handshake with that Accept gets the status %d", response.StatusCode)
	}
}

// TestProbeOfAWriterThatCannotBeHijacked: the answer is that to the handshake.
func TestProbeOfAWriterThatCannotBeHijacked(t *testing.T) {
	t.Parallel()
	e := server.Handler(echo, nil)
	s := start(t, http.TimeoutHandler(e, time.Minute, ""))
	if response := probe(t, s.URL, handshakeType, nil); response.StatusCode != http.StatusNotImplemented {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestProbeAfterShutdown(t *testing.T) {
	t.Parallel()
	e := server.Handler(echo, nil)
	s := start(t, e)
	mustShutdown(t, e)
	response := probe(t, s.URL, handshakeType, nil)
	if response.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(response.Header.Get("Content-Type"), handshakeType) {
		t.Errorf("status %d, %q", response.StatusCode, response.Header.Get("Content-Type"))
	}
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	type user struct{ name string }
	secret := errors.New("the database of secrets is away")
	logged := &logBuffer{}
	_, s := startEndpoint(t, func(ctx context.Context, conn *server.Conn) error {
		return conn.Close(4000, conn.Principal().(*user).name)
	}, &server.Options{Logger: logged.logger(), Authorize: func(r *http.Request) (any, error) {
		switch name := r.FormValue("user"); name {
		case "alice":
			return &user{name}, nil
		case "bob":
			return nil, &errors.ConnectionError{StatusCode: 429, Header: http.Header{"retry-after": {"3"}}, Body: []byte("Too many Bobs.")}
		case "status":
			return nil, &errors.ConnectionError{StatusCode: 101}
		}
		return nil, secret
	}})
	url := s.URL
	s.URL = url + "/?user=alice"
	assertEnd(t, dial(t, s, nil), 4000, "alice")

	for _, test := range []struct {
		user   string
		status int
		text   string
	}{{"bob", 429, "Too many Bobs."}, {"mallory", 403, "not allowed"}, {"status", 500, "misconfigured"}} {
		response, _, r := roundTrip(t, s, with("GET /?user="+test.user+" HTTP/1.1"))
		body, _ := io.ReadAll(io.LimitReader(r, int64(response.ContentLength)))
		text, _ := io.ReadAll(response.Body)
		if all := string(body) + string(text); response.StatusCode != test.status || !strings.Contains(all, test.text) || strings.Contains(all, "secrets") {
			t.Errorf("%s gets the status %d, %q", test.user, response.StatusCode, all)
		}
		if test.user == "bob" && response.Header.Get("Retry-After") != "3" {
			t.Errorf("Retry-After: %q", response.Header.Get("Retry-After"))
		}
	}
	if strings.Count(logged.String(), "secrets") != 1 {
		t.Errorf("the log is %q", logged.String())
	}
}

// TestRefusalEndsTheConnection: behind a proxy that tunnels every request for an upgrade,
// the proxy has not checked a second request in the same packet (CWE-444), so the server
// does not answer it.
func TestRefusalEndsTheConnection(t *testing.T) {
	t.Parallel()
	_, s := startEndpoint(t, echo, nil)
	second := []byte("GET /admin HTTP/1.1\r\nHost: example.com\r\n\r\n")
	for name, lines := range map[string][]string{
		"a bad origin":      with("Origin: https://evil.example", "Connection: keep-alive, Upgrade"),
		"a bad key":         with("Sec-WebSocket-Key: short", "Connection: keep-alive, Upgrade"),
		"no key":            with("Sec-WebSocket-Key:", "Connection: keep-alive, Upgrade"),
		"a bad version":     with("Sec-WebSocket-Version: 8", "Connection: keep-alive, Upgrade"),
		"a dropped Upgrade": with("Upgrade:", "Connection: keep-alive"),
		"another upgrade":   with("Upgrade: h2c", "Connection: keep-alive, Upgrade"),
		"a POST":            with("POST / HTTP/1.1", "Connection: keep-alive, Upgrade"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			response, conn, r := roundTrip(t, s, lines, second...)
			if !response.Close && !strings.Contains(strings.Join(response.Header["Connection"], ","), "close") {
				t.Errorf("status %d with Connection: %q", response.StatusCode, response.Header["Connection"])
			}
			conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			io.Copy(io.Discard, response.Body)
			if rest, err := io.ReadAll(r); err != nil && !strings.Contains(err.Error(), "reset") || len(rest) > 0 {
				t.Errorf("then got %q, %v", rest, err)
			}
		})
	}
}

// TestProxyThatDroppedUpgrade: nginx without the lines for WebSocket drops Connection and
// Upgrade, or speaks HTTP/1.0. It does not help to give advice to use a WebSocket client.
func TestProxyThatDroppedUpgrade(t *testing.T) {
	t.Parallel()
	logged := &logBuffer{}
	_, s := startEndpoint(t, echo, &server.Options{Logger: logged.logger()})
	for name, lines := range map[string][]string{
		"HTTP/1.1":                    with("Connection: close", "Upgrade:"),
		"HTTP/1.0":                    with("GET /chat HTTP/1.0", "Connection: close", "Upgrade:"),
		"HTTP/1.0 with all fields":    with("GET /chat HTTP/1.0"),
		"HTTP/1.1 without Connection": with("Connection: keep-alive"),
	} {
		response, _, _ := roundTrip(t, s, lines)
		body, _ := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusUpgradeRequired || !strings.Contains(string(body), "a proxy in between has ") ||
			!strings.Contains(string(body), "proxy_set_header Upgrade $http_upgrade;") {
			t.Errorf("%s: status %d, %q", name, response.StatusCode, body)
		}
	}
	// Each is logged at Debug, and different texts at Warn once.
	if debug, warn := strings.Count(logged.String(), "level=DEBUG"), strings.Count(logged.String(), "level=WARN"); debug != 4 || warn != 4 ||
		strings.Count(logged.String(), "proxy_http_version 1.1") != 8 {
		t.Errorf("the log is %q", logged.String())
	}
}
