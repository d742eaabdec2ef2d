//go:build js

package client_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// probeURL is the URL of the server of e2e's TestProbe.
func probeURL(t *testing.T) string {
	t.Helper()
	url := os.Getenv("ISOSOCKET_PROBE_URL")
	if url == "" {
		t.Skip("no server: ISOSOCKET_PROBE_URL is not set")
	}
	return url
}

// inFirefox reports whether the test runs in Firefox.
func inFirefox(t *testing.T) bool {
	t.Helper()
	navigator := must[safejs.Value](t)(safejs.Global().Get("navigator"))
	if navigator.IsUndefined() {
		return false
	}
	agent := must[safejs.Value](t)(navigator.Get("userAgent"))
	s, err := agent.String()
	return err == nil && strings.Contains(s, "Firefox/")
}

func dialFails(t *testing.T, url string, o *isosocket.DialOptions) *errors.ConnectionError {
	t.Helper()
	conn, err := isosocket.Dial(t.Context(), url, o)
	if err == nil {
		conn.Close(errors.NormalClosure, "")
		t.Fatal("Dial succeeded")
	}
	failed, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok {
		t.Fatalf("Dial returned %T: %v", err, err)
	}
	return failed
}

// TestProbe checks that only answers marked by a server of this library count. The server resets
// every handshake without an answer.
func TestProbe(t *testing.T) {
	url := probeURL(t)
	many := strings.Split(strings.Repeat("a-long-subprotocol-", 3), "-")
	for i := range many {
		many[i] = strings.Repeat(string(rune('a'+i)), 20)
	}
	for _, tt := range []struct {
		name, path string
		protocols  []string
		status     int
		guessed    bool
		is         error
		again      bool
	}{
		{"Basic", "/foreign?status=401&scheme=Basic", nil, 401, true, nil, true},
		{"Digest", "/foreign?status=401&scheme=Digest", nil, 401, true, nil, true},
		{"a foreign 400", "/foreign?status=400", nil, 400, true, nil, true},
		{"a foreign 401", "/foreign?status=401", nil, 401, true, nil, true},
		{"a foreign 404", "/foreign?status=404", nil, 404, true, nil, true},
		{"a foreign 426", "/foreign?status=426", nil, 426, true, nil, true},
		{"a foreign 503", "/foreign?status=503", nil, 503, true, nil, true},
		{"a foreign 200", "/foreign?status=200", nil, 0, false, nil, true},
		{"a foreign answer that may not be read", "/foreign?status=404&cors=no", nil, 0, false, nil, true},
		{"a marked 200", "/marked?status=200", nil, 0, false, nil, true},
		{"a marked 401", "/marked?status=401", nil, 401, false, nil, false},
		{"a marked 403", "/marked?status=403", nil, 403, false, nil, false},
		{"a marked 503", "/marked?status=503", nil, 503, false, nil, true},
		{"a marked 404 for lack of a cookie", "/marked?status=404&cookie=200", nil, 0, false, nil, true},
		{"a marked 403 because of a cookie", "/marked?status=200&cookie=403", nil, 403, false, nil, false},
		{"subprotocols that the server knows", "/marked?protocol=b", []string{"a", "b"}, 0, false, nil, true},
		{"subprotocols that it does not know", "/marked?protocol=c", []string{"a", "b"}, 400, false, nil, false},
		{"more subprotocols than fit", "/marked?status=403", many, 403, true, nil, true},
		{"a redirect", "/redirect", nil, 0, false, errors.ErrRedirected, false},
		{"a redirect, and Basic because of a cookie", "/redirect?scheme=Basic&cookie=401", nil, 0, false, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if strings.Contains(tt.path, "cors=no") && must[safejs.Value](t)(safejs.Global().Get("location")).IsUndefined() {
				t.Skip("without an origin every answer can be read")
			}
			if strings.HasPrefix(tt.path, "/redirect?scheme") && inFirefox(t) {
				t.Skip("the login dialog of Firefox stops the page until it is closed")
			}
			if strings.Contains(tt.path, "cookie=") {
				setCookie(t)
			}
			var start time.Time
			var failed *errors.ConnectionError
			for range 4 { // the answers to a probe may come too late for its limits on a busy machine
				start = time.Now()
				failed = dialFails(t, url+tt.path, &isosocket.DialOptions{Subprotocols: tt.protocols})
				if tt.is == errors.ErrRedirected && failed.StatusCode == 302 {
					failed.StatusCode, failed.StatusGuessed = 0, false // Node hides no redirect
				}
				if strings.HasPrefix(tt.path, "/redirect?scheme") && failed.StatusCode == 401 && failed.StatusGuessed {
					failed.StatusCode, failed.StatusGuessed = 0, false // WebKitWebDriver closes the dialog, and the answer arrives
				}
				if failed.StatusCode == tt.status && (tt.is == nil || errors.Is(failed, tt.is)) {
					break
				}
			}
			if failed.StatusCode != tt.status || failed.StatusGuessed != tt.guessed {
				t.Errorf("StatusCode %d, StatusGuessed %v, want %d, %v: %v", failed.StatusCode, failed.StatusGuessed, tt.status, tt.guessed, failed)
			}
			if tt.is != nil && !errors.Is(failed, tt.is) {
				t.Errorf("the error is not %v: %v", tt.is, failed)
			}
			if again := isosocket.DefaultRetry(failed); again != tt.again {
				t.Errorf("DefaultRetry = %v, want %v: %v", again, tt.again, failed)
			}
			// A login dialog would delay the answer until somebody closes it.
			if d := time.Since(start); (strings.HasSuffix(tt.path, "401&scheme=Basic") || strings.HasPrefix(tt.path, "/redirect?scheme")) && d > 15*time.Second {
				t.Errorf("Dial took %v", d)
			}
		})
	}
	t.Run("DisableStatusProbe", func(t *testing.T) {
		if failed := dialFails(t, url+"/marked?status=403", &isosocket.DialOptions{DisableStatusProbe: true}); failed.StatusCode != 0 {
			t.Errorf("StatusCode %d", failed.StatusCode)
		}
	})
	t.Run("an answer that does not come", func(t *testing.T) {
		start := time.Now()
		failed := dialFails(t, url+"/hang", nil)
		if d := time.Since(start); failed.StatusCode != 0 || !isosocket.DefaultRetry(failed) || d > 15*time.Second {
			t.Errorf("after %v: %v", d, failed)
		}
	})
	t.Run("a service worker's answer while the server is unreachable", func(t *testing.T) {
		class := must[safejs.Value](t)(safejs.Global().Get("Response"))
		response := must[safejs.Value](t)(class.New(nil, map[string]any{"status": 404}))
		fetch := must[safejs.Func](t)(safejs.FuncOf(func(safejs.Value, []safejs.Value) any {
			promise, _ := safejs.Global().Get("Promise")
			resolved, _ := promise.Call("resolve", response)
			return resolved
		}))
		t.Cleanup(fetch.Release)
		before := must[safejs.Value](t)(safejs.Global().Get("fetch"))
		safejs.Global().Set("fetch", fetch)
		defer safejs.Global().Set("fetch", before)
		failed := dialFails(t, "ws://127.0.0.1:9999/", nil)
		if failed.StatusCode != 404 || !failed.StatusGuessed || !isosocket.DefaultRetry(failed) {
			t.Errorf("%#v", failed)
		}
	})
}

// setCookie sets a cookie of the page's site until the test ends.
func setCookie(t *testing.T) {
	t.Helper()
	document := must[safejs.Value](t)(safejs.Global().Get("document"))
	if document.IsUndefined() {
		t.Skip("only a page can set a cookie")
	}
	if err := document.Set("cookie", "probe=1"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { document.Set("cookie", "probe=; max-age=0") })
}

// TestProbeOfALostHandshake checks that a lost handshake is retried, whatever the answer to a
// plain GET.
func TestProbeOfALostHandshake(t *testing.T) {
	url := probeURL(t)
	for _, path := range []string{"/foreign?status=404", "/foreign?status=401", "/foreign?status=400", "/redirect?ws=yes", "/marked?status=200"} {
		t.Run(path, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			opts := &isosocket.ReconnectOptions{BaseDelay: 10 * time.Millisecond, MaxDelay: 10 * time.Millisecond}
			for conn, err := range isosocket.Connections(ctx, url+path+"&lose=1&id="+t.Name(), opts) {
				if err != nil {
					t.Fatalf("no other attempt is made: %v", err)
				}
				if err := conn.Send(ctx, ws.Text("x")); err != nil {
					t.Error(err)
				}
				return
			}
			t.Fatal("no connection in time")
		})
	}
}

// TestDialUserinfo checks that a URL with user and password is refused before any I/O, because a
// browser does not send them.
func TestDialUserinfo(t *testing.T) {
	for _, url := range []string{"ws://user:secret@127.0.0.1:9999/", "wss://user@127.0.0.1:9999/x"} {
		failed := dialFails(t, url, nil)
		if !errors.Is(failed, errors.ErrUnsupported) || !strings.Contains(failed.Error(), "user and password") || strings.Contains(failed.Error(), "secret") ||
			isosocket.DefaultRetry(failed) {
			t.Errorf("Dial returned %v", failed)
		}
	}
}

func TestDialForbidden(t *testing.T) {
	t.Run("port", func(t *testing.T) {
		failed := dialFails(t, "ws://127.0.0.1:25/", nil)
		if !errors.Is(failed, errors.ErrForbidden) || !strings.Contains(failed.Error(), "block port 25") || isosocket.DefaultRetry(failed) {
			t.Errorf("Dial returned %v", failed)
		}
	})
	t.Run("SecurityError", func(t *testing.T) {
		class := must[safejs.Value](t)(safejs.Global().Get("DOMException"))
		thrown := must[safejs.Value](t)(class.New("not from a page loaded over HTTPS", "SecurityError"))
		signal := must[safejs.Value](t)(must[safejs.Value](t)(safejs.Global().Get("AbortSignal")).Call("abort", thrown))
		// A class whose constructor throws, made without eval.
		handler := must[safejs.Value](t)(must[safejs.Value](t)(safejs.Global().Get("Object")).New())
		throws := must[safejs.Value](t)(must[safejs.Value](t)(signal.Get("throwIfAborted")).Call("bind", signal))
		if err := handler.Set("construct", throws); err != nil {
			t.Fatal(err)
		}
		proxy := must[safejs.Value](t)(must[safejs.Value](t)(safejs.Global().Get("Proxy")).New(must[safejs.Value](t)(safejs.Global().Get("WebSocket")), handler))
		replaceWebSocket(t, proxy)
		failed := dialFails(t, "ws://127.0.0.1:9999/", nil)
		if !errors.Is(failed, errors.ErrForbidden) || !strings.Contains(failed.Error(), "page loaded over HTTPS") || isosocket.DefaultRetry(failed) {
			t.Errorf("Dial returned %v", failed)
		}
	})
	t.Run("Content-Security-Policy", func(t *testing.T) {
		if must[safejs.Value](t)(safejs.Global().Get("document")).IsUndefined() {
			t.Skip("only a page can be given a policy")
		}
		// A policy in a meta element is permanent, so it forbids a host that no other test uses.
		document := must[safejs.Value](t)(safejs.Global().Get("document"))
		meta := must[safejs.Value](t)(document.Call("createElement", "meta"))
		meta.Set("httpEquiv", "Content-Security-Policy")
		meta.Set("content", "connect-src http://127.0.0.1:* ws://127.0.0.1:* data: blob: 'self'")
		head := must[safejs.Value](t)(document.Get("head"))
		must[safejs.Value](t)(head.Call("appendChild", meta))
		failed := dialFails(t, "ws://localhost:9999/path?query=1", nil)
		// In WebKit, the constructor throws, without saying more.
		says := strings.Contains(failed.Error(), "Content-Security-Policy") || strings.Contains(failed.Error(), "The operation is insecure")
		if !errors.Is(failed, errors.ErrForbidden) || !says || isosocket.DefaultRetry(failed) {
			t.Errorf("Dial returned %v", failed)
		}
	})
}
