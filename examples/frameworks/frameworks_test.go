//go:build !js

package frameworks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/gofiber/fiber/v3"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	leak.Main(m, "fasthttp.updateServerDate") // fasthttp's clock, which never stops
}

// patience bounds each wait for something that happens soon, on a machine that may be busy.
const patience = 30 * time.Second

var users = Users{"token-of-ann": "ann", "token-of-ben": "ben"}

func tokenOf(name string) *isosocket.DialOptions {
	return &isosocket.DialOptions{Header: map[string][]string{
		"Authorization":   {"Bearer token-of-" + name},
		"Accept-Encoding": {"gzip"}, // as all browsers send
	}}
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// site is a running server.
type site struct {
	t        *testing.T
	url      string
	endpoint *server.Endpoint
	requests logBuffer // the framework's log
	errors   logBuffer // that of the http.Server
}

// framework is a row of the tests.
type framework struct {
	name  string
	mount func(endpoint http.Handler, users Users, out io.Writer) http.Handler
	app   func(endpoint http.Handler, users Users, out io.Writer) *fiber.App // in place of mount
}

var all = []framework{
	{name: "net/http", mount: NetHTTP},
	{name: "chi", mount: Chi},
	{name: "gin", mount: Gin},
	{name: "echo", mount: Echo},
	{name: "fiber", app: Fiber},
	{name: "beside fiber", mount: BesideFiber},
}

func (f framework) start(t *testing.T, serve func(context.Context, *server.Conn) error, o *server.Options) *site {
	t.Helper()
	s := &site{t: t, endpoint: server.Handler(serve, o)}
	if f.app == nil {
		h := httptest.NewUnstartedServer(f.mount(s.endpoint, users, &s.requests))
		h.Config.ErrorLog = log.New(&s.errors, "", 0)
		h.Start()
		t.Cleanup(h.Close)
		s.url = h.URL
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		app := f.app(s.endpoint, users, &s.requests)
		served := make(chan error, 1)
		go func() { served <- app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }()
		t.Cleanup(func() {
			if err := app.ShutdownWithTimeout(patience); err != nil {
				t.Error(err)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
		s.url = "http://" + l.Addr().String()
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.endpoint.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// each runs a test with every framework.
func each(t *testing.T, test func(t *testing.T, f framework)) {
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}

func (s *site) dial(user string) *ws.Conn {
	s.t.Helper()
	conn, err := isosocket.Dial(s.t.Context(), s.url+"/ws", tokenOf(user))
	if err != nil {
		s.t.Fatalf("%v\n%s%s", err, s.requests.String(), s.errors.String())
	}
	s.t.Cleanup(func() { conn.CloseNow(errors.NormalClosure, "") })
	return conn
}

func (s *site) get(path, user string) (status int, body string) {
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	request.Header.Set("Authorization", "Bearer token-of-"+user)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Error(err)
	}
	return response.StatusCode, string(text)
}

// line waits for a line of the framework's log with all parts, and returns it.
func (s *site) line(parts ...string) string {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	lines:
		for line := range strings.Lines(s.requests.String()) {
			for _, part := range parts {
				if !strings.Contains(line, part) {
					continue lines
				}
			}
			return line
		}
	}
	s.t.Fatalf("no line with %q in the log:\n%s", parts, s.requests.String())
	return ""
}

// duration returns the duration in a line of a log.
func duration(t *testing.T, line string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(regexp.MustCompile(`\b\d+(\.\d+)?(ns|µs|ms|s)\b`).FindString(line))
	if err != nil {
		t.Fatalf("%v in the line %q", err, line)
	}
	return d
}

func says(t *testing.T, conn *ws.Conn, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if m, err := conn.Receive(ctx); err != nil || m.String() != want {
		t.Errorf("Receive = %q, %v; want %q", m.String(), err, want)
	}
}

// answer says who the user is, by the context and by the principal, and repeats each message.
func answer(ctx context.Context, conn *server.Conn) error {
	for m, err := range conn.Messages(ctx) {
		if err != nil {
			return err
		}
		if m.String() == "panic" {
			panic("asked to")
		}
		if err := conn.Send(ctx, ws.Text(fmt.Sprintf("%s, %v: %s", User(ctx), conn.Principal(), m))); err != nil {
			return err
		}
	}
	return nil
}

func principal(r *http.Request) (any, error) {
	switch r.URL.Query().Get("authorize") {
	case "panic":
		panic("asked to authorize")
	case "refuse":
		return nil, &errors.ConnectionError{StatusCode: http.StatusPaymentRequired}
	}
	return User(r.Context()), nil
}

var options = &server.Options{Authorize: principal}

func TestConnects(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f framework) {
		s := f.start(t, answer, options)
		conn := s.dial("ann")
		if err := conn.Send(t.Context(), ws.Text("hi")); err != nil {
			t.Fatal(err)
		}
		says(t, conn, "ann, ann: hi")
		if status, body := s.get("/hello", "ben"); status != 200 || body != "hello, ben\n" {
			t.Errorf("the page is %d, %q", status, body)
		}
		for path, want := range map[string]struct {
			user   string
			status int
		}{
			"/ws":                  {"nobody", 401},
			"/ws?authorize=refuse": {"ben", 402},
			"/nowhere":             {"ben", 404},
		} {
			_, err := isosocket.Dial(t.Context(), s.url+path, tokenOf(want.user))
			if failed, ok := errors.AsType[*errors.ConnectionError](err); !ok || failed.StatusCode != want.status {
				t.Errorf("%s of %s: %v, want %d", path, want.user, err, want.status)
			}
		}
		if err := conn.Close(errors.NormalClosure, ""); err != nil {
			t.Error(err)
		}
		s.line("/ws", "401")
		s.line("/ws", "402")
		if got := s.errors.String(); got != "" {
			t.Errorf("the server's log has %q", got)
		}
	})
}

// A framework's middlewares see the whole life of a connection, except those of Fiber.
func TestDuration(t *testing.T) {
	t.Parallel()
	const life = 300 * time.Millisecond
	each(t, func(t *testing.T, f framework) {
		s := f.start(t, answer, options)
		conn := s.dial("ann")
		if f.app != nil {
			s.line("/ws") // already
			if conn.Err() != nil {
				t.Errorf("the connection ended with %v", conn.Err())
			}
			return
		}
		if got := s.requests.String(); got != "" {
			t.Errorf("the log has %q while the connection is open", got)
		}
		time.Sleep(life)
		conn.Close(errors.NormalClosure, "")
		if d := duration(t, s.line("/ws")); d < life {
			t.Errorf("the log has %v for a connection of more than %v", d, life)
		}
		if got := s.errors.String(); got != "" {
			t.Errorf("the server's log has %q", got)
		}
	})
}

// The endpoint recovers a panic in its function, and the framework one in Authorize.
func TestPanic(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f framework) {
		var failures logBuffer
		o := *options
		o.Logger = slog.New(slog.NewTextHandler(&failures, nil))
		s := f.start(t, answer, &o)
		conn := s.dial("ann")
		if err := conn.Send(t.Context(), ws.Text("panic")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Receive(t.Context()); !errors.Is(err, errors.InternalError) {
			t.Errorf("after a panic of the function, Receive = %v, want 1011", err)
		}
		s.line("/ws")
		if got := failures.String(); strings.Count(got, "handler panicked") != 1 || !strings.Contains(got, "asked to") {
			t.Errorf("the endpoint's log has %q", got)
		}

		status := 500
		if f.name == "chi" {
			status = 200 // chi's Recoverer writes no status if a request asks for an upgrade
		}
		_, err := isosocket.Dial(t.Context(), s.url+"/ws?authorize=panic", tokenOf("ann"))
		if failed, ok := errors.AsType[*errors.ConnectionError](err); !ok || failed.StatusCode != status {
			t.Errorf("after a panic of Authorize: %v, want %d", err, status)
		}
		if err := s.dial("ann").Close(errors.NormalClosure, ""); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(patience); s.endpoint.Len() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d connections are left", s.endpoint.Len())
			}
		}
	})
}

// Frameworks use a context again for another request. Each function must see the values of its own.
func TestValues(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f framework) {
		ended := make(chan string, 100)
		s := f.start(t, func(ctx context.Context, conn *server.Conn) error {
			who, path := User(ctx), conn.URL().String()
			if f.name == "gin" && ctx.Value("user") != who {
				t.Errorf("the gin.Context of %s is that of %v", who, ctx.Value("user"))
			}
			err := answer(ctx, conn)
			// Other requests may have the framework's memory by now.
			time.Sleep(50 * time.Millisecond)
			ended <- fmt.Sprint(who == User(ctx), " ", path == conn.URL().String(), " ", conn.Header().Get("Authorization") == "Bearer token-of-"+who)
			return err
		}, options)
		var requests sync.WaitGroup
		stop := make(chan struct{})
		for i := range 2 {
			requests.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					name := []string{"ann", "ben"}[i]
					if status, body := s.get("/hello?a-longer-query=0123456789", name); status != 200 || body != "hello, "+name+"\n" {
						t.Errorf("a page is %d, %q", status, body)
					}
				}
			})
		}
		defer requests.Wait()
		defer close(stop)
		const n = 20
		var conns sync.WaitGroup
		for i := range n {
			name := []string{"ann", "ben"}[i%2]
			conn := s.dial(name)
			conns.Go(func() {
				for j := range 20 {
					if err := conn.Send(t.Context(), ws.Text(fmt.Sprint(j))); err != nil {
						t.Error(err)
						return
					}
					says(t, conn, fmt.Sprintf("%s, %s: %d", name, name, j))
				}
				conn.Close(errors.NormalClosure, "")
			})
		}
		conns.Wait()
		for range n {
			if got := <-ended; got != "true true true" {
				t.Errorf("after its connection, a function sees its own user, URL, header: %s", got)
			}
		}
	})
}

// With Detach, a function outlives its request. Only the principal has the user then, and the log
// has the handshake.
func TestDetached(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f framework) {
		o := *options
		o.Detach = true
		s := f.start(t, answer, &o)
		conn := s.dial("ann")
		s.line("/ws")
		if err := conn.Send(t.Context(), ws.Text("hi")); err != nil {
			t.Fatal(err)
		}
		says(t, conn, ", ann: hi")
		if got := s.errors.String(); got != "" {
			t.Errorf("the server's log has %q", got)
		}
	})
}

// hideConnection is what many middlewares do.
func hideConnection(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	})
}

// A middleware that hides the connection gets an answer that says what to do.
func TestHiddenConnection(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"http.TimeoutHandler": func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "") },
		"gzip without Unwrap": func(next http.Handler) http.Handler { return hideConnection(Gzip(next)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := framework{mount: func(endpoint http.Handler, users Users, out io.Writer) http.Handler {
				return NetHTTP(wrap(endpoint), users, out)
			}}
			s := f.start(t, answer, options)
			o := tokenOf("ann")
			delete(o.Header, "Accept-Encoding") // to read the body
			_, err := isosocket.Dial(t.Context(), s.url+"/ws", o)
			failed, ok := errors.AsType[*errors.ConnectionError](err)
			if !ok || failed.StatusCode != http.StatusNotImplemented {
				t.Fatal(err)
			}
			for what, text := range map[string]string{"body": string(failed.Body), "log": s.errors.String()} {
				if !strings.Contains(text, "a method Unwrap() http.ResponseWriter") || !strings.Contains(text, "outside of the middleware") {
					t.Errorf("the %s does not say what to do: %q", what, text)
				}
			}
		})
	}
}

// TestGzip checks that Gzip compresses, so that TestConnects shows that both go together.
func TestGzip(t *testing.T) {
	t.Parallel()
	for _, f := range []framework{all[0], all[1], all[3]} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := f.start(t, answer, options)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/hello", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer token-of-ann")
			request.Header.Set("Accept-Encoding", "gzip")
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if got := response.Header.Get("Content-Encoding"); got != "gzip" {
				t.Errorf("the page has the Content-Encoding %q", got)
			}
		})
	}
}

// The time limit that a middleware puts into the context does not end a connection.
func TestContextTimeout(t *testing.T) {
	t.Parallel()
	f := framework{mount: func(endpoint http.Handler, users Users, out io.Writer) http.Handler {
		return Chi(middleware.Timeout(50*time.Millisecond)(endpoint), users, out)
	}}
	s := f.start(t, answer, options)
	conn := s.dial("ann")
	time.Sleep(150 * time.Millisecond)
	if err := conn.Send(t.Context(), ws.Text("hi")); err != nil {
		t.Fatal(err)
	}
	says(t, conn, "ann, ann: hi")
	conn.Close(errors.NormalClosure, "")
	s.line("/ws")
	if got := s.errors.String(); !strings.Contains(got, "WriteHeader on hijacked connection") {
		t.Errorf("the server's log has %q; if it has no line about a hijacked connection, the page should not say so", got)
	}
}

// Each function of the page stands in the package as the page shows it.
func TestPageShowsTheFrameworks(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/frameworks.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n// ([a-z]+\\.go)\n(.*?)```\n").FindAllStringSubmatch(string(page), -1)
	if n := strings.Count(string(page), "\n```go\n"); n != len(blocks) || n < 4 {
		t.Errorf("%d blocks, of which %d name a file", n, len(blocks))
	}
	for _, block := range blocks {
		file, err := os.ReadFile(block[1])
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(file), block[2]) {
			t.Errorf("%s does not contain\n%s", block[1], block[2])
		}
	}
}
