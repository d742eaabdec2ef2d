//go:build !js

package client_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// tracing wraps the body of a 101, as a RoundTripper that traces does.
type tracing struct{ base http.RoundTripper }

type tracedBody struct{ io.ReadWriteCloser }

func (w tracing) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.base.RoundTrip(r)
	if err == nil {
		if stream, ok := response.Body.(io.ReadWriteCloser); ok {
			response.Body = tracedBody{stream}
		}
	}
	return response, err
}

// A connection tells what the server answered, over which addresses, and how it is encrypted,
// during and after its life, whatever transport carries it.
func TestNative(t *testing.T) {
	t.Parallel()
	remotes := make(chan string, 16)
	h := func(w http.ResponseWriter, r *http.Request) {
		remotes <- r.RemoteAddr
		w.Header().Add("Set-Cookie", "a=1; Path=/")
		w.Header().Add("Set-Cookie", "b=2; Path=/")
		w.Header().Set("X-Node", "seven")
		conn, err := server.Accept(w, r, &server.Options{Subprotocols: []string{"chat"}, Compression: &ws.Compression{}})
		if err == nil {
			<-conn.Done()
		}
	}
	plain := start(t, h)
	secure, config := startTLS(t, h)
	for _, test := range []struct {
		name string
		s    *httptest.Server
		n    *isosocket.NativeOptions
	}{
		{"TCP", plain, nil},
		{"TLS", secure, &isosocket.NativeOptions{TLSConfig: config}},
		{"a wrapped body", plain, &isosocket.NativeOptions{HTTPClient: &http.Client{Transport: tracing{&http.Transport{}}}}},
		{"a wrapped body over TLS", secure, &isosocket.NativeOptions{HTTPClient: &http.Client{Transport: tracing{&http.Transport{TLSClientConfig: config}}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, err := isosocket.Dial(bounded(t), test.s.URL, &isosocket.DialOptions{
				Subprotocols: []string{"chat"},
				Compression:  &ws.Compression{},
				Native:       test.n,
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Native().Ping(bounded(t)); err != nil {
				t.Error(err)
			}
			seen := <-remotes
			check := func() {
				t.Helper()
				n := conn.Native()
				if n.LocalAddr() == nil || n.LocalAddr().String() != seen {
					t.Errorf("LocalAddr = %v, and the server saw %s", n.LocalAddr(), seen)
				}
				if n.RemoteAddr() == nil || n.RemoteAddr().String() != test.s.Listener.Addr().String() {
					t.Errorf("RemoteAddr = %v, want %v", n.RemoteAddr(), test.s.Listener.Addr())
				}
				state := n.TLS()
				if (state != nil) != (test.s == secure) || state != nil && len(state.PeerCertificates) == 0 {
					t.Errorf("TLS = %+v", state)
				}
				r := n.Response()
				if r.StatusCode != 101 || r.Status != "101 Switching Protocols" || r.Proto != "HTTP/1.1" || r.ProtoMajor != 1 || r.ProtoMinor != 1 {
					t.Errorf("%s %s, %d.%d", r.Proto, r.Status, r.ProtoMajor, r.ProtoMinor)
				}
				if cookies := r.Cookies(); len(cookies) != 2 || cookies[0].Name != "a" || cookies[1].Value != "2" {
					t.Errorf("cookies %v", cookies)
				}
				if got := r.Header.Get("X-Node") + r.Header.Get("Sec-WebSocket-Protocol"); got != "sevenchat" || r.Header.Get("Upgrade") != "websocket" {
					t.Errorf("header %v", r.Header)
				}
				if got := r.Header.Get("Sec-WebSocket-Extensions"); conn.Extensions() != got || !strings.HasPrefix(got, "permessage-deflate") {
					t.Errorf("Extensions = %q, and the header has %q", conn.Extensions(), got)
				}
				if body, err := io.ReadAll(r.Body); len(body) != 0 || err != nil {
					t.Errorf("body %q, %v", body, err)
				}
				if (r.TLS != nil) != (test.s == secure) {
					t.Errorf("TLS of the response: %v", r.TLS)
				}
				r.Header.Set("X-Node", "changed") // of a copy
			}
			check()
			conn.Close(errors.NormalClosure, "")
			check()
		})
	}
}

// A server that answers without an extension, or with one in two lines.
func TestExtensions(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		"": "",
		"Sec-WebSocket-Extensions: permessage-deflate":                                "permessage-deflate",
		"sec-websocket-extensions: ,permessage-deflate; client_no_context_takeover ,": ",permessage-deflate; client_no_context_takeover ,",
	} {
		var lines []string
		if answer != "" {
			lines = append(lines, answer)
		}
		url := rawServer(t, func(accept string) string { return switching(accept, lines...) })
		conn, err := isosocket.Dial(bounded(t), url, &isosocket.DialOptions{Compression: &ws.Compression{ContextTakeover: true}, CloseTimeout: 1})
		if err != nil {
			t.Errorf("%q: %v", answer, err)
			continue
		}
		if got := conn.Extensions(); got != want {
			t.Errorf("after %q: Extensions = %q, want %q", answer, got, want)
		}
		conn.CloseNow(errors.NormalClosure, "")
	}
}

// A jar gets the cookies of the answer to a handshake, and the next Dial sends them; also those
// of a refusal.
func TestCookieJar(t *testing.T) {
	t.Parallel()
	got := make(chan string, 8)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Get("Cookie")
		switch r.URL.Path {
		case "/refused":
			http.SetCookie(w, &http.Cookie{Name: "why", Value: "login", Path: "/"})
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		default:
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "s1", Path: "/"})
		}
		if conn, err := server.Accept(w, r, nil); err == nil {
			conn.CloseNow(errors.NormalClosure, "")
		}
	})
	jar, _ := cookiejar.New(nil)
	for _, step := range []struct {
		path, sent string
		status     int
	}{
		{"/first", "", 0},
		{"/refused", "session=s1", 401},
		{"/last?a=100%", "session=s1; why=login", 0},
	} {
		conn, err := isosocket.Dial(bounded(t), s.URL+step.path, &isosocket.DialOptions{
			Native: &isosocket.NativeOptions{HTTPClient: &http.Client{Jar: jar}},
		})
		if step.status != 0 {
			assertRefused(t, err, step.status, "sign in")
		} else if err != nil {
			t.Fatalf("%s: %v", step.path, err)
		} else {
			conn.Close(errors.NormalClosure, "")
		}
		if sent := <-got; sent != step.sent {
			t.Errorf("%s: the request had the cookies %q, want %q", step.path, sent, step.sent)
		}
	}
}

// A Unix socket has an address too.
func TestNativeOverUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(echoServer))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	conn, err := isosocket.Dial(bounded(t), "ws://localhost/", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.Native().RemoteAddr(); got == nil || got.Network() != "unix" || got.String() != path {
		t.Errorf("RemoteAddr = %v, want %s", got, path)
	}
	if _, err := conn.Native().Ping(bounded(t)); err != nil {
		t.Error(err)
	}
	assertEcho(t, conn)
}

// What a browser cannot do does not compile for one.
func TestNativeIsAbsentInABrowser(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "main.go")
	program := `package main

import (
	"context"

	"github.com/isosocket/isosocket"
)

func main() {
	conn, err := isosocket.Dial(context.Background(), "wss://example.com", nil)
	if err == nil {
		println(conn.Extensions(), conn.Subprotocol())
		USE
	}
}
`
	for use, missing := range map[string]string{
		"": "",
		"conn.Native().Ping(context.Background())": "conn.Native undefined",
	} {
		for target, want := range map[string]string{"native": "", "js": missing} {
			if err := os.WriteFile(file, []byte(strings.Replace(program, "USE", use, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "go", "vet", file)
			if target == "js" {
				cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
			}
			output, err := cmd.CombinedOutput()
			if (err != nil) != (want != "") || !strings.Contains(string(output), want) {
				t.Errorf("%s with %q: %v, %s, want %q", target, use, err, output, want)
			}
		}
	}
}
