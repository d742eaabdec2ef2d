//go:build !js

package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// limited is an Endpoint that echoes, with a server.
type limited struct {
	*Endpoint
	*httptest.Server
	log *safeLog
}

// safeLog is a log that is read while it is written.
type safeLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newLimited(t *testing.T, o Options) *limited {
	t.Helper()
	log := &safeLog{}
	o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e := Handler(func(ctx context.Context, conn *Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}, &o)
	s := httptest.NewServer(e)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	return &limited{e, s, log}
}

// dial connects as a client that a proxy on this machine has forwarded for address, "" for
// none.
func (l *limited) dial(t *testing.T, address string) (*ws.Conn, error) {
	t.Helper()
	o := &isosocket.DialOptions{}
	if address != "" {
		o.Header = http.Header{"X-Forwarded-For": {address}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := isosocket.Dial(ctx, l.URL, o)
	if err == nil {
		t.Cleanup(func() { conn.CloseNow(errors.NormalClosure, "") })
	}
	return conn, err
}

func (l *limited) mustDial(t *testing.T, address string) *ws.Conn {
	t.Helper()
	conn, err := l.dial(t, address)
	if err != nil {
		t.Fatalf("a client of the address %q: %v", address, err)
	}
	return conn
}

// mustRefuse checks that a client of address is refused with status, and the given text.
func (l *limited) mustRefuse(t *testing.T, address string, status int, retryAfter, text string) {
	t.Helper()
	_, err := l.dial(t, address)
	refused, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok || refused.StatusCode != status || http.Header(refused.Header).Get("Retry-After") != retryAfter || !strings.Contains(string(refused.Body), text) {
		t.Fatalf("a client of the address %q: %#v, want the status %d, Retry-After %s and %q", address, err, status, retryAfter, text)
	}
}

func (l *limited) mustCount(t *testing.T, want map[Limit]uint64) {
	t.Helper()
	if got := l.limits.counts(); !reflect.DeepEqual(got, want) {
		t.Errorf("the limits that were reached are %v, want %v", got, want)
	}
	for limit := range want {
		if !strings.Contains(l.log.String(), `level=DEBUG msg="websocket: limit reached" limit=`+string(limit)+" remote=127.0.0.1:") {
			t.Errorf("the log lacks %s:\n%s", limit, l.log)
		}
	}
}

// await waits until the endpoint has n connections.
func (l *limited) await(t *testing.T, n int) {
	t.Helper()
	for range 6000 {
		if l.Len() == n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d connections, want %d", l.Len(), n)
}

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	l := newLimited(t, Options{Limits: &Limits{MaxConnections: 3}})
	first := l.mustDial(t, "")
	l.mustDial(t, "")
	l.mustDial(t, "")
	l.await(t, 3)
	l.mustRefuse(t, "", 503, "5", "too many connections")

	// A page reads the refusal, too.
	r, _ := http.NewRequest("GET", l.URL, nil)
	r.Header.Set("Accept", handshakeType)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 503 || response.Header.Get("Retry-After") != "5" || !strings.HasPrefix(response.Header.Get("Content-Type"), handshakeType) {
		t.Errorf("a probe gets %v", response)
	}
	l.mustCount(t, map[Limit]uint64{LimitConnections: 2})

	first.Close(errors.NormalClosure, "")
	l.await(t, 2)
	l.mustDial(t, "")
}

func TestMaxConnectionsPerAddress(t *testing.T) {
	t.Parallel()
	for _, detach := range []bool{false, true} {
		t.Run(fmt.Sprint("Detach ", detach), func(t *testing.T) {
			t.Parallel()
			testMaxConnectionsPerAddress(t, detach)
		})
	}
}

func testMaxConnectionsPerAddress(t *testing.T, detach bool) {
	l := newLimited(t, Options{Detach: detach, Limits: &Limits{MaxConnectionsPerAddress: 2, TrustedProxies: []string{"127.0.0.1"}}})
	first := l.mustDial(t, "2001:db8::1")
	l.mustDial(t, "2001:db8::2") // of the same network
	l.mustRefuse(t, "2001:db8::3", 429, "5", "too many connections from your address")
	l.mustDial(t, "2001:db8:0:1::1") // of another one
	for range 2 {
		l.mustDial(t, "203.0.113.7")
	}
	l.mustRefuse(t, "203.0.113.7", 429, "5", "too many connections from your address")
	l.mustRefuse(t, "127.0.0.1, 203.0.113.7", 429, "5", "") // a client that forges the field
	l.mustDial(t, "203.0.113.8")
	l.mustCount(t, map[Limit]uint64{LimitConnectionsPerAddress: 3})

	l.await(t, 6)
	first.Close(errors.NormalClosure, "")
	l.await(t, 5)
	l.mustDial(t, "2001:db8::3")
}

// TestConnectionsThatFailAreCountedOut: a handshake releases what it took, however it ends.
func TestConnectionsThatFailAreCountedOut(t *testing.T) {
	t.Parallel()
	e := Handler(nil, &Options{
		Authorize: func(r *http.Request) (any, error) {
			if r.URL.Path == "/panic" {
				panic("authorize")
			}
			return nil, errors.New("nobody may")
		},
		Limits: &Limits{MaxConnections: 1, MaxConnectionsPerAddress: 1},
	})
	for i := range 30 {
		path := [...]string{"/", "/panic"}[i%2]
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
		for _, field := range []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="} {
			name, value, _ := strings.Cut(field, ": ")
			r.Header.Set(name, value)
		}
		func() {
			defer func() { recover() }()
			e.ServeHTTP(w, r)
			if w.Code != 403 {
				t.Errorf("request %d gets the status %d", i, w.Code)
			}
		}()
	}
	if got := e.limits.counts(); len(got) > 0 {
		t.Errorf("limits were reached: %v", got)
	}
	if busy, _ := e.clients.sizes(); busy > 0 || e.pending > 0 {
		t.Errorf("%d addresses and %d handshakes are left", busy, e.pending)
	}
}

// status returns the status and Retry-After of a request from remote that is no handshake.
func (e *Endpoint) status(remote string, fields ...string) (int, string) {
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = remote
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	e.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Retry-After")
}

func TestHandshakeRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := Handler(nil, &Options{Limits: &Limits{HandshakeRate: 2}})
		for i := range 2 * rateBurst {
			if code, _ := e.status("203.0.113.7:1"); code != 426 {
				t.Fatalf("request %d gets the status %d", i, code)
			}
		}
		if code, after := e.status("203.0.113.7:2"); code != 429 || after != "1" {
			t.Errorf("one request too many gets the status %d, Retry-After %q", code, after)
		}
		if code, _ := e.status("203.0.113.8:1"); code != 426 {
			t.Errorf("another address gets the status %d", code)
		}
		time.Sleep(500 * time.Millisecond)
		if code, _ := e.status("203.0.113.7:3"); code != 426 {
			t.Errorf("half a second later the status is %d", code)
		}
		if code, _ := e.status("203.0.113.7:4"); code != 429 {
			t.Errorf("the next request has the status %d", code)
		}
		if got, want := e.limits.counts(), map[Limit]uint64{LimitHandshakeRate: 2}; !reflect.DeepEqual(got, want) {
			t.Errorf("the limits reached are %v, want %v", got, want)
		}
		time.Sleep(time.Minute)
		if busy, idle := e.clients.sizes(); busy+idle != 0 {
			t.Errorf("%d addresses are remembered after a minute", busy+idle)
		}
	})
}

func TestDefaultsPerAddress(t *testing.T) {
	t.Parallel()
	const most = rateBurst * DefaultHandshakeRate
	forwarded := "X-Forwarded-For: 203.0.113.9"
	for _, test := range []struct {
		name   string
		limits *Limits
		remote string
		fields []string
		most   int // 0 for no limit
	}{
		{"the Internet", nil, "203.0.113.7:1", nil, most},
		{"this machine", nil, "127.0.0.1:1", nil, 0},
		{"this machine in IPv6", nil, "[::1]:1", nil, 0},
		{"a proxy on this machine", nil, "127.0.0.1:1", []string{forwarded}, most},
		{"a trusted proxy on this machine", &Limits{TrustedProxies: []string{"127.0.0.1"}}, "127.0.0.1:1", []string{forwarded}, most},
		{"a number for this machine", &Limits{HandshakeRate: 1}, "127.0.0.1:1", nil, rateBurst},
		{"no limit", &Limits{HandshakeRate: -1}, "203.0.113.7:1", nil, 0},
		{"a Unix socket", nil, "@", nil, 0},
		{"behind a trusted Unix socket", &Limits{TrustedProxies: []string{"unix"}}, "@", []string{forwarded}, most},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := Handler(nil, &Options{Limits: test.limits, Logger: slog.New(slog.DiscardHandler)})
				served := 0
				for range 2 * most {
					if code, _ := e.status(test.remote, test.fields...); code == 426 {
						served++
					}
				}
				want := test.most
				if want == 0 {
					want = 2 * most
				}
				if served != want {
					t.Errorf("%d requests were served, want %d", served, want)
				}
			})
		})
	}
}

func TestRefusalNamesTrustedProxies(t *testing.T) {
	t.Parallel()
	l := newLimited(t, Options{Limits: &Limits{MaxConnectionsPerAddress: 1}})
	l.mustDial(t, "203.0.113.7")
	for range 3 {
		l.mustRefuse(t, "203.0.113.8", 429, "5", "Options.Limits.TrustedProxies")
	}
	if n := strings.Count(l.log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want one:\n%s", n, l.log)
	}
	if !strings.Contains(l.log.String(), "TrustedProxies") {
		t.Errorf("the log does not name the option to set:\n%s", l.log)
	}
	// Without a Logger the advice goes to the log of net/http.
	var log safeLog
	e := Handler(nil, &Options{Limits: &Limits{HandshakeRate: 1}})
	s := httptest.NewUnstartedServer(e)
	s.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&log, nil), slog.LevelInfo)
	s.Start()
	defer s.Close()
	for range 2 * rateBurst {
		r, _ := http.NewRequest("GET", s.URL, nil)
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if n := strings.Count(log.String(), "TrustedProxies"); n != 1 {
		t.Errorf("the server's log has the advice %d times, want once: %s", n, log.String())
	}
}

func TestLimitsThatCannotBe(t *testing.T) {
	t.Parallel()
	e := Handler(nil, &Options{Limits: &Limits{TrustedProxies: []string{"nginx"}}})
	if code, _ := e.status("203.0.113.7:1"); code != 500 {
		t.Errorf("the status is %d, want 500", code)
	}
	if err := fmt.Sprint(e.acceptor.err); !strings.Contains(err, `TrustedProxies has "nginx"`) {
		t.Errorf("the error is %s", err)
	}
}
