//go:build !js

package e2e

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/server"
)

// handshakeType is the media type that the browser's probe accepts, and that marks the answers
// of this library's server.
const handshakeType = "application/vnd.isosocket.handshake"

// probed is the server for the client's TestProbe. It resets handshakes, and answers plain
// requests like another server or like one of this library.
type probed struct {
	mu   sync.Mutex
	lost map[string]int // handshakes, by id
}

// lose resets the connection of a handshake. It reports false if it has reset enough of them.
func (p *probed) lose(w http.ResponseWriter, r *http.Request) bool {
	if most, err := strconv.Atoi(r.FormValue("lose")); err == nil {
		p.mu.Lock()
		n := p.lost[r.FormValue("id")]
		p.lost[r.FormValue("id")]++
		p.mu.Unlock()
		if n >= most {
			return false
		}
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
	return true
}

func (p *probed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/redirect" && r.FormValue("ws") == "" && !asksForPassword(r) {
		redirect(w, r)
		return
	}
	if r.Header.Get("Upgrade") != "" {
		if !p.lose(w, r) {
			server.Handler(func(ctx context.Context, conn *server.Conn) error {
				for {
					m, err := conn.Receive(ctx)
					if err != nil {
						return err
					}
					if err := conn.Send(ctx, m); err != nil {
						return err
					}
				}
			}, &server.Options{OriginPatterns: []string{"*"}}).ServeHTTP(w, r)
		}
		return
	}
	status, _ := strconv.Atoi(r.FormValue("status"))
	switch r.URL.Path {
	case "/hang":
		<-r.Context().Done()
		return
	case "/marked":
		kind, parameters, _ := strings.Cut(r.Header.Get("Accept"), ";")
		if kind != handshakeType {
			status = http.StatusTeapot
			break
		}
		w.Header().Set("Content-Type", handshakeType)
		if with, err := strconv.Atoi(r.FormValue("cookie")); err == nil && r.Header.Get("Cookie") != "" {
			status = with
		}
		if protocol := r.FormValue("protocol"); protocol != "" {
			status = http.StatusBadRequest
			for _, offered := range strings.Split(parameters, ";") {
				if offered == "p="+protocol {
					status = http.StatusOK
				}
			}
		}
	case "/redirect":
		if !asksForPassword(r) {
			redirect(w, r)
			return
		}
		status = http.StatusUnauthorized
		fallthrough
	case "/foreign":
		if scheme := r.FormValue("scheme"); scheme != "" {
			w.Header().Set("WWW-Authenticate", scheme+` realm="x", nonce="y"`)
		}
	}
	allow(w, r)
	w.WriteHeader(status)
}

// asksForPassword reports whether a path that redirects requests a password, as it does if there
// is a cookie.
func asksForPassword(r *http.Request) bool {
	return r.FormValue("scheme") != "" && r.Header.Get("Cookie") != ""
}

func redirect(w http.ResponseWriter, r *http.Request) {
	allow(w, r)
	http.Redirect(w, r, "/elsewhere", http.StatusFound)
}

// allow permits the page to read the answer.
func allow(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("cors") != "no" {
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Credentials", "true")
	}
}

// TestProbe runs the tests of Dial's probe after a failed handshake, and those of calls inside
// JavaScript callbacks.
func TestProbe(t *testing.T) {
	s := httptest.NewServer(&probed{lost: map[string]int{}})
	t.Cleanup(s.Close)
	test := browser.CompileWasmTest(t, "../internal/testing/client")
	test.Args = []string{"-test.run=^(TestProbe|TestDialUserinfo|TestDialForbidden|TestCallback)"}
	test.Env = map[string]string{"ISOSOCKET_PROBE_URL": "ws" + strings.TrimPrefix(s.URL, "http")}
	runEverywhere(t, map[string]browser.WasmTest{"client": test})
}
