//go:build !js

package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/h2client"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/server"
	_ "github.com/isosocket/isosocket/server/http2"
	"github.com/isosocket/isosocket/ws"
)

// startHTTP2 starts a server with HTTP/2 and TLS. configure may be nil.
func startHTTP2(t *testing.T, h http.Handler, configure func(*http.Server)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	if configure != nil {
		configure(s.Config)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func trusting(s *httptest.Server) *tls.Config {
	return s.Client().Transport.(*http.Transport).TLSClientConfig
}

// connectHTTP2 opens one connection of HTTP/2 to s.
func connectHTTP2(t *testing.T, s *httptest.Server) *h2client.Client {
	t.Helper()
	c, err := h2client.Dial(timeout(t), s.Listener.Addr().String(), trusting(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func mustOpen(t *testing.T, c *h2client.Client, path string, header http.Header) *ws.Conn {
	t.Helper()
	conn, err := c.WebSocket(timeout(t), path, header, &ws.Config{MaxMessageSize: -1})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func mustSendBack(t *testing.T, conn *ws.Conn, m ws.Message) {
	t.Helper()
	if err := conn.Send(timeout(t), m); err != nil {
		t.Fatal(err)
	}
	got, err := conn.Receive(timeout(t))
	if err != nil || got.Kind != m.Kind || !bytes.Equal(got.Data, m.Data) {
		t.Fatalf("echo of %d bytes: %d bytes, %v", len(m.Data), len(got.Data), err)
	}
}

func TestHTTP2Connection(t *testing.T) {
	leak.Check(t)
	type seen struct {
		request   *http.Request
		principal any
		addresses string
	}
	connected := make(chan seen, 1)
	ended := make(chan error, 1)
	for name, options := range map[string]server.Options{"by default": {}, "detached": {Detach: true}} {
		t.Run(name, func(t *testing.T) {
			o := options
			o.MaxMessageSize = -1
			o.Subprotocols = []string{"b", "a"}
			o.Compression = &ws.Compression{}
			o.Authorize = func(r *http.Request) (any, error) { return r.Header.Get("Authorization"), nil }
			e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
				connected <- seen{conn.Request(), conn.Principal(), fmt.Sprint(conn.Native().LocalAddr(), conn.Native().RemoteAddr(), conn.Native().TLS().NegotiatedProtocol)}
				err := echo(ctx, conn)
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return err
			}, &o)
			s := startHTTP2(t, e, nil)
			c := connectHTTP2(t, s)
			conn := mustOpen(t, c, "/chat?x=1", http.Header{
				"Authorization":            {"alice"},
				"Cookie":                   {"session=1"},
				"Origin":                   {s.URL},
				"Sec-Websocket-Protocol":   {"a, b"},
				"Sec-Websocket-Extensions": {"permessage-deflate"},
			})
			if conn.Subprotocol() != "a" || !strings.HasPrefix(conn.Extensions(), "permessage-deflate") {
				t.Errorf("agreed on %q and %q", conn.Subprotocol(), conn.Extensions())
			}
			got := <-connected
			r := got.request
			if r.ProtoMajor != 2 || r.Method != "GET" || r.URL.String() != "/chat?x=1" || r.Host != s.Listener.Addr().String() || r.TLS == nil ||
				fmt.Sprint(r.Header) != fmt.Sprintf("map[Authorization:[alice] Cookie:[session=1] Origin:[%s]]", s.URL) {
				t.Errorf("the request is %s %v %v with %v", r.Proto, r.URL, r.Host, r.Header)
			}
			if want := fmt.Sprint(s.Listener.Addr(), conn.Native().LocalAddr(), "h2"); got.principal != "alice" || got.addresses != want {
				t.Errorf("the principal is %v, the addresses are %v, want %v", got.principal, got.addresses, want)
			}
			for _, n := range []int{0, 1, 2 << 10, 4096, 4097, 100_000, 5 << 20} {
				mustSendBack(t, conn, ws.Binary(bytes.Repeat([]byte("isosocket "), n/10+1)[:n]))
			}
			other := mustOpen(t, c, "/", nil)
			<-connected
			mustSendBack(t, other, ws.Text("on the same connection"))
			if n := e.Len(); n != 2 {
				t.Errorf("%d connections are open", n)
			}
			if err := conn.Close(4001, "bye"); err != nil {
				t.Errorf("Close = %v", err)
			}
			var closed *errors.ConnectionClosed
			if err := <-ended; !errors.As(err, &closed) || closed.Reason != 4001 || closed.Message != "bye" || !closed.Remote {
				t.Errorf("the server saw %v", err)
			}
			mustSendBack(t, other, ws.Text("the other is still open"))
			if err := other.Close(errors.NormalClosure, ""); err != nil {
				t.Errorf("Close = %v", err)
			}
			<-ended
			mustShutdown(t, e)
			if stats := e.Stats(); stats.Accepted != 2 || stats.Open != 0 || stats.Closed[server.Closing{Reason: 4001, ByPeer: true}] != 1 || stats.HandshakeTimes.Count != 2 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// A context bounds the wait, not the stream: net/http's own deadlines would end it.
func TestHTTP2ReceiveIsInterrupted(t *testing.T) {
	leak.Check(t)
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		for {
			short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
			m, err := conn.Receive(short)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
		}
	}, nil)
	conn := mustOpen(t, connectHTTP2(t, startHTTP2(t, e, nil)), "/", nil)
	for range 5 {
		time.Sleep(20 * time.Millisecond)
		mustSendBack(t, conn, ws.Text("hello"))
	}
	if err := conn.Close(errors.NormalClosure, ""); err != nil {
		t.Errorf("Close = %v", err)
	}
	mustShutdown(t, e)
}

// Messages in parts, TryReceive and Messages work as over HTTP/1.1.
func TestHTTP2ReadsInParts(t *testing.T) {
	const size = 3 << 20
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		_, r, err := conn.NextReader(ctx)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, r)
		if err != nil {
			return err
		}
		return conn.Send(ctx, ws.Text(fmt.Sprint(n)))
	}, &server.Options{MaxMessageSize: 1 << 10, MaxStreamSize: size})
	conn := mustOpen(t, connectHTTP2(t, startHTTP2(t, e, nil)), "/", nil)
	if err := conn.Send(timeout(t), ws.Binary(make([]byte, size))); err != nil {
		t.Fatal(err)
	}
	if m, err := conn.Receive(timeout(t)); err != nil || m.String() != fmt.Sprint(size) {
		t.Errorf("received %v, %v", m, err)
	}
	assertEnd(t, conn, errors.NormalClosure, "")
	mustShutdown(t, e)
}

func TestHTTP2Messages(t *testing.T) {
	leak.Check(t)
	e := server.Messages(func(ctx context.Context, conn *server.Conn, m ws.Message) error { return conn.Send(ctx, m) },
		&server.Options{Detach: true})
	conn := mustOpen(t, connectHTTP2(t, startHTTP2(t, e, nil)), "/", nil)
	mustSendBack(t, conn, ws.Text("one"))
	mustSendBack(t, conn, ws.Text("two"))
	if err := conn.Close(errors.NormalClosure, ""); err != nil {
		t.Errorf("Close = %v", err)
	}
	mustShutdown(t, e)
}

// unflushable hides everything but the three methods of a ResponseWriter.
type unflushable struct{ http.ResponseWriter }

// compressing is a middleware's writer that must not see the frames.
type compressing struct {
	http.ResponseWriter
	t *testing.T
}

func (c compressing) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c compressing) Write(p []byte) (int, error) {
	c.t.Errorf("the middleware's writer got %d bytes", len(p))
	return c.ResponseWriter.Write(p)
}

func TestHTTP2Refusals(t *testing.T) {
	leak.Check(t)
	full := server.Handler(echo, &server.Options{Limits: &server.Limits{MaxConnections: 1}})
	stopped := server.Handler(echo, nil)
	mustShutdown(t, stopped)
	e := server.Handler(echo, nil)
	never := server.Handler(echo, &server.Options{Authorize: func(*http.Request) (any, error) {
		return nil, &errors.ConnectionError{StatusCode: 401, Header: http.Header{"Www-Authenticate": {"Bearer"}}}
	}})
	mux := http.NewServeMux()
	mux.Handle("/full", full)
	mux.Handle("/stopped", stopped)
	mux.Handle("/authorized", never)
	mux.Handle("/timeout", http.TimeoutHandler(e, time.Minute, ""))
	mux.Handle("/bytes", http.MaxBytesHandler(e, 1<<20))
	mux.HandleFunc("/hidden", func(w http.ResponseWriter, r *http.Request) { e.ServeHTTP(unflushable{w}, r) })
	mux.HandleFunc("/accept", func(w http.ResponseWriter, r *http.Request) {
		if _, err := server.Accept(w, r, nil); err == nil {
			t.Error("Accept accepted a stream that ends when its handler returns")
		}
	})
	mux.Handle("/", e)
	s := startHTTP2(t, mux, func(s *http.Server) { s.ErrorLog = log.New(io.Discard, "", 0) })
	c := connectHTTP2(t, s)
	held := mustOpen(t, c, "/full", nil)
	for _, test := range []struct {
		name, path string
		header     http.Header
		status     int
		text       string
	}{
		{"another protocol", "/", http.Header{":protocol": {"connect-udp"}}, 501, `asks for the protocol ["connect-udp"]`},
		{"another version", "/", http.Header{"Sec-Websocket-Version": {"8"}}, 426, `the version ["8"]; only 13`},
		{"two versions", "/", http.Header{"Sec-Websocket-Version": {"13", "13"}}, 426, "only 13"},
		{"extensions that cannot be read", "/", http.Header{"Sec-Websocket-Extensions": {"a b"}}, 400, "cannot be read"},
		{"another origin", "/", http.Header{"Origin": {"https://evil.example"}}, 403, "evil.example"},
		{"not authorized", "/authorized", nil, 401, "Unauthorized"},
		{"no place", "/full", nil, 503, "too many connections"},
		{"shut down", "/stopped", nil, 503, "shutting down"},
		{"a handler with a timeout", "/timeout", nil, 501, "a middleware in front of it hides it"},
		{"a writer that hides the stream", "/hidden", nil, 501, "a middleware in front of it hides it"},
		{"a limited body", "/bytes", nil, 500, "misconfigured"},
		{"Accept", "/accept", nil, 501, "server.Handler has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, err := c.WebSocket(timeout(t), test.path, test.header, nil)
			if err == nil {
				conn.CloseNow(errors.NormalClosure, "")
			}
			refused, ok := errors.AsType[*h2client.Refusal](err)
			if !ok || refused.Status != test.status || !strings.Contains(refused.Text, test.text) {
				t.Fatalf("refused with %v, want %d and %q", err, test.status, test.text)
			}
			if test.status == 503 && refused.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Accept"} {
				if got := refused.Header.Get(name); got != "" {
					t.Errorf("the answer has %s: %s", name, got)
				}
			}
		})
	}
	mustSendBack(t, held, ws.Text("still open"))
	if err := held.Close(errors.NormalClosure, ""); err != nil {
		t.Errorf("Close = %v", err)
	}
	mustShutdown(t, full)
	mustShutdown(t, e)
}

// The frames do not pass through the writers of middlewares, whose header fields are sent.
func TestHTTP2Middleware(t *testing.T) {
	t.Parallel()
	const timeouts = 3 * time.Second // of the server, also for the TLS handshake
	e := server.Handler(echo, nil)
	s := startHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "session=1")
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", "5")
		e.ServeHTTP(compressing{w, t}, r)
	}), func(s *http.Server) { s.ReadTimeout, s.WriteTimeout = timeouts, timeouts })
	c := connectHTTP2(t, s)
	stream, response, err := c.Open(timeout(t), "/", nil)
	if err != nil || stream == nil {
		t.Fatal(response, err)
	}
	stream.Close()
	h := response.Header
	if h.Get("Set-Cookie") != "session=1" || h.Get("Content-Type")+h.Get("Content-Length") != "" {
		t.Errorf("the header of the answer is %v", h)
	}
	conn := mustOpen(t, c, "/", nil)
	time.Sleep(timeouts + 100*time.Millisecond) // they do not bound connections
	mustSendBack(t, conn, ws.Text("hello"))
	if err := conn.Close(errors.NormalClosure, ""); err != nil {
		t.Errorf("Close = %v", err)
	}
	mustShutdown(t, e)
}

// goneWriter is the writer of net/http of a client that has gone.
type goneWriter struct{ *httptest.ResponseRecorder }

func (goneWriter) FlushError() error                { return io.ErrClosedPipe }
func (goneWriter) SetReadDeadline(time.Time) error  { return nil }
func (goneWriter) SetWriteDeadline(time.Time) error { return nil }

func TestHTTP2ClientIsGoneBeforeTheAnswer(t *testing.T) {
	var ended error
	e := server.Handler(func(context.Context, *server.Conn) error {
		t.Error("the function was called")
		return nil
	}, &server.Options{Observer: &server.Observer{HandshakeEnd: func(_ *http.Request, r server.HandshakeResult) { ended = r.Err }}})
	r := httptest.NewRequest(http.MethodConnect, "/", strings.NewReader(""))
	r.ProtoMajor, r.ContentLength = 2, -1
	r.Header[":protocol"] = []string{"websocket"}
	r.Header.Set("Sec-WebSocket-Version", "13")
	e.ServeHTTP(goneWriter{httptest.NewRecorder()}, r)
	if got := e.Stats(); got.Unanswered != 1 || got.Accepted != 0 || !errors.Is(ended, io.ErrClosedPipe) {
		t.Errorf("unanswered %d, accepted %d, error %v", got.Unanswered, got.Accepted, ended)
	}
	mustShutdown(t, e)
}

// A probe over HTTP/2 gets the answer that the handshake would get.
func TestHTTP2Probe(t *testing.T) {
	e := server.Handler(echo, nil)
	s := startHTTP2(t, e, nil)
	c := connectHTTP2(t, s)
	for origin, status := range map[string]int{s.URL: 200, "https://evil.example": 403} {
		r, err := c.Get(timeout(t), "/", http.Header{"Accept": {"application/vnd.isosocket.handshake"}, "Origin": {origin}})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != status {
			t.Errorf("the probe of %s got %d", origin, r.StatusCode)
		}
	}
	if n := e.Stats().Probes; n != 2 {
		t.Errorf("%d probes", n)
	}
	mustShutdown(t, e)
}
