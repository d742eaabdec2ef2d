//go:build !js

package client_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// wireServer answers each handshake and sends the bytes of its request to the channel.
func wireServer(t *testing.T, lines ...string) (url string, requests <-chan string) {
	t.Helper()
	seen := make(chan string, 16)
	addr := serveConns(t, func(conn net.Conn) {
		var raw bytes.Buffer
		reader := bufio.NewReader(io.TeeReader(conn, &raw))
		request, err := http.ReadRequest(reader)
		if err != nil { // a target that net/http cannot parse
			line, _, _ := strings.Cut(raw.String(), "\r\n")
			seen <- line
			return
		}
		seen <- raw.String()
		io.WriteString(conn, switching(acceptOf(request), lines...))
	})
	return "ws://" + addr, seen
}

// TestDialSpelling checks that the client spells the fields of the handshake as RFC 6455 does.
func TestDialSpelling(t *testing.T) {
	t.Parallel()
	target, requests := wireServer(t, "Sec-WebSocket-Protocol: chat")
	for name, client := range map[string]*http.Client{"its own transport": nil, "an HTTP client": {Transport: &http.Transport{DisableKeepAlives: true}}} {
		conn, err := isosocket.Dial(bounded(t), target, &isosocket.DialOptions{
			Subprotocols: []string{"chat"},
			Compression:  &ws.Compression{},
			Native:       &isosocket.NativeOptions{HTTPClient: client},
		})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close(errors.NormalClosure, "")
		raw := <-requests
		for _, field := range []string{"Key", "Version", "Protocol", "Extensions"} {
			if strings.Count(raw, "\r\nSec-WebSocket-"+field+": ") != 1 {
				t.Errorf("with %s the request lacks Sec-WebSocket-%s:\n%s", name, field, raw)
			}
		}
		if strings.Contains(raw, "Sec-Websocket-") {
			t.Errorf("with %s the request has another spelling:\n%s", name, raw)
		}
	}
}

// TestDialReadsAnySpelling checks that the client accepts any spelling of the answer's fields.
func TestDialReadsAnySpelling(t *testing.T) {
	t.Parallel()
	target := rawServer(t, func(accept string) string {
		return "HTTP/1.1 101 Switching Protocols\r\nCONNECTION: upgrade\r\nupgrade: WebSocket\r\nsec-websocket-accept: " + accept +
			"\r\nSEC-WEBSOCKET-PROTOCOL: chat\r\n\r\n"
	})
	conn, err := isosocket.Dial(bounded(t), target, &isosocket.DialOptions{Subprotocols: []string{"chat"}, CloseTimeout: 1})
	if err != nil {
		t.Fatal(err)
	}
	if conn.Subprotocol() != "chat" {
		t.Errorf("Subprotocol = %q", conn.Subprotocol())
	}
	conn.Close(errors.NormalClosure, "")
}

// TestDialTarget checks that the request line has the encoding of the URL Standard where that of
// net/url differs.
func TestDialTarget(t *testing.T) {
	t.Parallel()
	address, requests := wireServer(t)
	for target, want := range map[string]string{
		"/100%":           "/100%",
		"/%zz/%41?%zz":    "/%zz/%41?%zz",
		"/%zz?":           "/%zz?",
		"//a/%2fb":        "//a/%2fb",
		"//a/50%":         "//a/50%25",
		"/*":              "/*",
		"/a|b":            "/a%7Cb",
		"/[a]/(b)!'":      "/[a]/(b)!'",
		"?a=b?c":          "/?a=b?c",
		"/a%2Fb/../c":     "/c",
		"/ä/?ö=ü%E2%82ac": "/%C3%A4/?%C3%B6=%C3%BC%E2%82ac",
	} {
		conn, err := isosocket.Dial(bounded(t), address+target, nil)
		if err == nil {
			conn.Close(errors.NormalClosure, "")
		}
		line, _, _ := strings.Cut(<-requests, "\r\n")
		if line != "GET "+want+" HTTP/1.1" {
			t.Errorf("for %s the request line is %q, want the target %s", target, line, want)
		}
	}
}

// TestDialUserinfoOnTheWire checks that any user and password in the URL are sent as Basic
// authentication.
func TestDialUserinfoOnTheWire(t *testing.T) {
	t.Parallel()
	address, requests := wireServer(t)
	address = strings.TrimPrefix(address, "ws://")
	for userinfo, want := range map[string]string{
		"ann:secret":        "Basic YW5uOnNlY3JldA==",
		"ann":               "Basic YW5uOg==",
		`a:|^{<"@:é`:        "Basic YTp8Xns8IkA6w6k=",
		"ann:50%":           "Basic YW5uOjUwJQ==",
		"ann:%2F%3f%23%5C":  "Basic YW5uOi8/I1w=",
		"ann:a%20b%3Ac%40d": "Basic YW5uOmEgYjpjQGQ=",
	} {
		conn, err := isosocket.Dial(bounded(t), "ws://"+userinfo+"@"+address, nil)
		if err != nil {
			t.Errorf("%s: %v", userinfo, err)
			continue
		}
		conn.Close(errors.NormalClosure, "")
		if raw := <-requests; !strings.Contains(raw, "\r\nAuthorization: "+want+"\r\n") {
			t.Errorf("%s: the request lacks Authorization: %s\n%s", userinfo, want, raw)
		}
	}
	conn, err := isosocket.Dial(bounded(t), "ws://ann:secret@"+address, &isosocket.DialOptions{Header: map[string][]string{"authorization": {"Bearer x"}}})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(errors.NormalClosure, "")
	if raw := <-requests; !strings.Contains(raw, "\r\nAuthorization: Bearer x\r\n") || strings.Contains(raw, "Basic") {
		t.Errorf("DialOptions.Header does not take precedence:\n%s", raw)
	}
}

// TestServerSpelling checks that the server spells the fields of its answers as RFC 6455 does.
func TestServerSpelling(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		_, err := conn.Receive(ctx)
		return err
	}, &server.Options{Subprotocols: []string{"chat"}, Compression: &ws.Compression{}}))
	t.Cleanup(s.Close)
	ask := func(version string) string {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nconnection: Upgrade\r\nUPGRADE: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
			"SEC-WEBSOCKET-VERSION: "+version+"\r\nSec-Websocket-Protocol: chat\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n")
		reader, raw := bufio.NewReader(conn), ""
		for !strings.HasSuffix(raw, "\r\n\r\n") {
			line, err := reader.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			raw += line
		}
		return raw
	}
	accepted, refused := ask("13"), ask("12")
	for _, want := range []string{"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"} {
		if !strings.Contains(accepted, "\r\n"+want) {
			t.Errorf("the answer lacks %s:\n%s", want, accepted)
		}
	}
	if !strings.Contains(refused, "\r\nSec-WebSocket-Version: 13\r\n") {
		t.Errorf("the refusal lacks Sec-WebSocket-Version: 13:\n%s", refused)
	}
	if strings.Contains(accepted+refused, "Sec-Websocket-") {
		t.Errorf("another spelling:\n%s\n%s", accepted, refused)
	}
}

// wrappingTransport returns bodies that count their reads, writes and closes.
type wrappingTransport struct {
	base          http.RoundTripper
	read, written atomic.Int64
	closed        atomic.Int32
}

func (w *wrappingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.base.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusSwitchingProtocols {
		response.Body = &wrappedBody{w, response.Body.(io.ReadWriteCloser)}
	}
	return response, err
}

type wrappedBody struct {
	w    *wrappingTransport
	body io.ReadWriteCloser
}

func (b *wrappedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.w.read.Add(int64(n))
	return n, err
}

func (b *wrappedBody) Write(p []byte) (int, error) {
	n, err := b.body.Write(p)
	b.w.written.Add(int64(n))
	return n, err
}

func (b *wrappedBody) Close() error {
	b.w.closed.Add(1)
	return b.body.Close()
}

// TestDialUsesTheBodyOfARoundTripper checks that the client reads, writes and closes the body
// that a RoundTripper returns.
func TestDialUsesTheBodyOfARoundTripper(t *testing.T) {
	t.Parallel()
	s := start(t, echoServer)
	w := &wrappingTransport{base: &http.Transport{}}
	conn, err := isosocket.Dial(bounded(t), s.URL, &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: &http.Client{Transport: w}}})
	if err != nil {
		t.Fatal(err)
	}
	// A read of a body cannot be interrupted, but Receive can.
	ctx, cancel := context.WithCancel(bounded(t))
	cancel()
	if _, err := conn.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Receive = %v", err)
	}
	assertEcho(t, conn)
	const sent = 1 + 126 + 65536 + 300_000
	if w.read.Load() < sent || w.written.Load() < sent || w.closed.Load() != 1 {
		t.Errorf("%d bytes were read, %d written, and it was closed %d times", w.read.Load(), w.written.Load(), w.closed.Load())
	}

	// The body of a handshake that fails after the 101 is closed.
	for _, o := range []isosocket.DialOptions{{Subprotocols: []string{"other"}}, {}} {
		w := &wrappingTransport{base: &http.Transport{}}
		o.Native = &isosocket.NativeOptions{HTTPClient: &http.Client{Transport: w}}
		target := rawServer(t, func(accept string) string {
			if len(o.Subprotocols) == 0 {
				accept = "wrong"
			}
			return switching(accept)
		})
		if _, err := isosocket.Dial(bounded(t), target, &o); err == nil || w.closed.Load() == 0 {
			t.Errorf("Dial = %v, and the body was closed %d times", err, w.closed.Load())
		}
	}
}

// TestDialTellsNoSecret checks that the error does not contain the parts of a URL that a server,
// a proxy or a transport repeats.
func TestDialTellsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	refusing := start(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no access with "+r.RequestURI+" "+r.URL.Query().Get("token")+" "+r.Header.Get("Authorization"), http.StatusForbidden)
	})
	redirecting := start(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://ann:"+secret+"@elsewhere.example/"+r.RequestURI, http.StatusFound)
	})
	const other = "swordfish-swordfish"
	badly := func(location string) string {
		return start(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Location"] = []string{location}
			w.WriteHeader(http.StatusFound)
		}).URL
	}
	closed := rawServer(t, func(string) string { return "SSH-2.0\r\n\r\n" })
	with := func(base string) string {
		return strings.Replace(strings.Replace(base, "http://", "ws://", 1), "ws://", "ws://ann:"+secret+"@", 1) + "/?token=" + secret + "&x"
	}
	failing := func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("wrapped: %w", &url.Error{Op: "Get", URL: "http://ann:" + secret + "@x/?" + r.URL.RawQuery, Err: io.ErrNoProgress})
	}
	proxied := func(proxy string) *isosocket.NativeOptions {
		return &isosocket.NativeOptions{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }}
	}
	for _, test := range []struct {
		name, url string
		n         *isosocket.NativeOptions
		is        error
	}{
		{"a refusal", with(refusing.URL), nil, nil},
		{"a redirect", with(redirecting.URL), nil, errors.ErrRedirected},
		{"a redirect that cannot be parsed", with(badly("http://u:" + other + "|@h/?t=" + other)), nil, errors.ErrRedirected},
		{"a redirect to a bad host", with(badly("http://[zz]/?t=" + other)), nil, errors.ErrRedirected},
		{"a redirect with a bad escape", with(badly("http://h/%zz?t=" + other)), nil, errors.ErrRedirected},
		{"no HTTP", with(strings.TrimSuffix(closed, "/")), nil, errors.ErrBadHandshake},
		{"no server", with("ws://127.0.0.1:1"), nil, nil},
		{"a transport's error", with("ws://127.0.0.1:1"), &isosocket.NativeOptions{HTTPClient: &http.Client{Transport: roundTripper(failing)}}, io.ErrNoProgress},
		{"a proxy's URL that cannot be parsed", with("ws://127.0.0.1:1"), proxied("http://ann:" + secret + "^@proxy:" + secret), nil},
		{"a proxy of another scheme", with("ws://127.0.0.1:1"), proxied("ftp://ann:" + secret + "@proxy"), nil},
		{"a proxy that is not there", with("ws://127.0.0.1:1"), proxied("http://" + secret + ":" + secret + "@127.0.0.1:1/?" + secret), nil},
		{"a SOCKS proxy that is not there", with("ws://127.0.0.1:1"), proxied("socks5://" + secret + ":" + secret + "@127.0.0.1:1"), nil},
		{"a proxy of the environment", with("ws://127.0.0.1:1"), &isosocket.NativeOptions{Proxy: func(*http.Request) (*url.URL, error) {
			return nil, fmt.Errorf("invalid proxy address %q: %v", "http://ann:"+secret+"^@proxy", io.ErrNoProgress)
		}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := isosocket.Dial(bounded(t), test.url, &isosocket.DialOptions{Native: test.n})
			failed := assertRefused(t, err, map[string]int{
				"a refusal": 403, "a redirect": 302, "a redirect that cannot be parsed": 302, "a redirect to a bad host": 302, "a redirect with a bad escape": 302,
			}[test.name], "")
			if strings.Contains(err.Error()+failed.URL, secret) || strings.Contains(err.Error(), other) {
				t.Errorf("Dial = %v", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("Dial = %v, want it to be %v", err, test.is)
			}
		})
	}
	for _, odd := range []string{"|", "^", "{", "<", `"`, `\`, "@", "/", "#", "?", "é", ":", "%", " ", "\x00", "[", "]"} {
		for _, target := range []string{
			"ws://ann:" + secret + odd + secret + "@127.0.0.1:1/",
			"ws://ann:" + odd + secret + "@[zz]/",
			"ftp://ann:" + odd + secret + "@127.0.0.1:1/",
			"ws://127.0.0.1:1/?" + odd + secret,
			"ann:" + odd + secret + "@127.0.0.1/",
		} {
			_, err := isosocket.Dial(bounded(t), target, &isosocket.DialOptions{Native: &isosocket.NativeOptions{
				DialContext: func(_ context.Context, _, addr string) (net.Conn, error) { return nil, io.ErrNoProgress },
			}})
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%q: Dial = %v", target, err)
			}
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestDialHopeless checks that permanent failures are not retried, and that their errors are
// specific.
func TestDialHopeless(t *testing.T) {
	t.Parallel()
	secure, config := startTLS(t, echoServer)
	plain := start(t, echoServer)
	wss := "wss" + strings.TrimPrefix(secure.URL, "https")
	for _, test := range []struct {
		name, url string
		o         *isosocket.DialOptions
		is        error
	}{
		{"no subprotocol chosen", plain.URL, &isosocket.DialOptions{Subprotocols: []string{"other"}}, errors.ErrSubprotocolMismatch},
		{"another subprotocol chosen", rawServer(t, func(accept string) string { return switching(accept, "Sec-WebSocket-Protocol: x") }),
			&isosocket.DialOptions{Subprotocols: []string{"other"}}, errors.ErrSubprotocolMismatch},
		{"a subprotocol not asked for", rawServer(t, func(accept string) string { return switching(accept, "Sec-WebSocket-Protocol: x") }), nil, errors.ErrSubprotocolMismatch},
		{"an extension not offered", rawServer(t, func(accept string) string { return switching(accept, "Sec-WebSocket-Extensions: x") }), nil, errors.ErrBadHandshake},
		{"a wrong Sec-WebSocket-Accept", rawServer(t, func(string) string { return switching("x") }), nil, errors.ErrBadHandshake},
		{"no Upgrade", rawServer(t, func(accept string) string { return strings.Replace(switching(accept), "Upgrade: w", "X: w", 1) }), nil, errors.ErrBadHandshake},
		{"no HTTP", rawServer(t, func(string) string { return "220 mail.example ESMTP\r\n" }), nil, errors.ErrBadHandshake},
		{"no TLS", "wss" + strings.TrimPrefix(plain.URL, "http"), nil, errors.ErrBadHandshake},
		{"an unknown certificate authority", wss, nil, nil},
		{"another host's certificate", wss, &isosocket.DialOptions{Native: &isosocket.NativeOptions{
			TLSConfig: &tls.Config{RootCAs: config.RootCAs, ServerName: "other.test"}}}, nil},
		{"a body that cannot be written to", plain.URL, &isosocket.DialOptions{Native: &isosocket.NativeOptions{
			HTTPClient: &http.Client{Transport: &readOnlyTransport{}}}}, errors.ErrUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := isosocket.Dial(bounded(t), test.url, test.o)
			assertRefused(t, err, 0, "")
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("Dial = %v, want it to be %v", err, test.is)
			}
			if isosocket.DefaultRetry(err) {
				t.Errorf("DefaultRetry of %v is true", err)
			}
			if test.is == nil {
				verification, ok := errors.AsType[*tls.CertificateVerificationError](err)
				_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
				_, host := errors.AsType[x509.HostnameError](err)
				if !ok || !unknown && !host {
					t.Errorf("the cause is hidden: %v, %v", err, verification)
				}
			}
		})
	}
}
