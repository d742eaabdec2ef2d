//go:build !js

package client_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/ws"
)

// bounded returns a context with a timeout that is long enough for every test.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// echoServer is a WebSocket server of another library.
func echoServer(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	for {
		kind, data, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		conn.Write(context.Background(), kind, data)
	}
}

func start(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func startTLS(t *testing.T, h http.HandlerFunc) (*httptest.Server, *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, &tls.Config{RootCAs: roots}
}

// rawServer answers each connection's request with what answer returns for its
// Sec-WebSocket-Accept, and keeps the connection open until the test ends.
func rawServer(t *testing.T, answer func(accept string) string) string {
	t.Helper()
	done := make(chan struct{})
	addr := serveConns(t, func(conn net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		io.WriteString(conn, answer(acceptOf(request)))
		<-done
	})
	t.Cleanup(func() { close(done) }) // before serveConns waits
	return "ws://" + addr + "/"
}

// serveConns returns an address. Until the test ends, it calls serve for each connection to it,
// and then closes the connection.
func serveConns(t *testing.T, serve func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	return l.Addr().String()
}

// acceptOf returns the answer to a Sec-WebSocket-Key (RFC 6455, section 4.2.2).
func acceptOf(r *http.Request) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// switching returns a valid answer with more lines in its header.
func switching(accept string, lines ...string) string {
	return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " + accept + "\r\n" +
		strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

// assertEcho sends messages over conn and closes it.
func assertEcho(t *testing.T, conn *ws.Conn) {
	t.Helper()
	for _, size := range []int{0, 1, 126, 65536, 300_000} {
		want := bytes.Repeat([]byte("isosocket "), size/10+1)[:size]
		if err := conn.Send(bounded(t), ws.Binary(want)); err != nil {
			t.Fatal(err)
		}
		m, err := conn.Receive(bounded(t))
		if err != nil || m.Kind != ws.KindBinary || !bytes.Equal(m.Data, want) {
			t.Fatalf("the echo of %d bytes is %v of %d bytes, %v", size, m.Kind, len(m.Data), err)
		}
	}
	if err := conn.Close(errors.NormalClosure, "done"); err != nil {
		t.Error(err)
	}
}

// assertRefused returns the ConnectionError that err must be.
func assertRefused(t *testing.T, err error, status int, text string) *errors.ConnectionError {
	t.Helper()
	failed, ok := errors.AsType[*errors.ConnectionError](err)
	if !ok || !errors.Is(err, errors.ErrWebSocket) {
		t.Fatalf("Dial = %v, want a ConnectionError", err)
	}
	if failed.StatusCode != status || !strings.Contains(err.Error(), text) {
		t.Errorf("Dial = %v, want status %d and %q", err, status, text)
	}
	return failed
}

func TestDial(t *testing.T) {
	t.Parallel()
	s := start(t, echoServer)
	for name, o := range map[string]*isosocket.DialOptions{
		"nil options":         nil,
		"a subprotocol":       {Subprotocols: []string{"other", "chat"}},
		"compression":         {Compression: &ws.Compression{Threshold: 1}},
		"compression at best": {Compression: &ws.Compression{Threshold: 1, Level: 9, ContextTakeover: true}},
		"no handshake bound":  {HandshakeTimeout: -1},
		"an HTTP client":      {Native: &isosocket.NativeOptions{HTTPClient: s.Client()}},
		"an empty HTTP client": {Native: &isosocket.NativeOptions{HTTPClient: &http.Client{Timeout: 20 * time.Second},
			DialContext: (&net.Dialer{}).DialContext}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := isosocket.Dial(bounded(t), s.URL, o)
			if err != nil {
				t.Fatal(err)
			}
			if want := o != nil && o.Subprotocols != nil; want != (conn.Subprotocol() == "chat") {
				t.Errorf("Subprotocol = %q", conn.Subprotocol())
			}
			assertEcho(t, conn)
		})
	}
}

func TestDialURLs(t *testing.T) {
	t.Parallel()
	type seen struct{ uri, host string }
	got := make(chan seen, 1)
	h := func(w http.ResponseWriter, r *http.Request) {
		got <- seen{r.RequestURI, r.Host}
		echoServer(w, r)
	}
	s := start(t, h)
	s6 := httptest.NewUnstartedServer(http.HandlerFunc(h))
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
		s6.Listener.Close()
		s6.Listener = l
	} else {
		t.Log("without IPv6: ", err)
	}
	s6.Start()
	t.Cleanup(s6.Close)
	for _, test := range []struct {
		addr, scheme, rest, uri string
	}{
		{s.Listener.Addr().String(), "ws", "", "/"},
		{s.Listener.Addr().String(), "http", "/", "/"},
		{s.Listener.Addr().String(), "WS", "/chat", "/chat"},
		{s.Listener.Addr().String(), "ws", "?a=1&b=%20", "/?a=1&b=%20"},
		{s.Listener.Addr().String(), "ws", "/%e2%82%ac/%2F?x=/", "/%e2%82%ac/%2F?x=/"},
		{s6.Listener.Addr().String(), "ws", "/six", "/six"},
	} {
		conn, err := isosocket.Dial(bounded(t), test.scheme+"://"+test.addr+test.rest, nil)
		if err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		if seen := <-got; seen.uri != test.uri || seen.host != test.addr {
			t.Errorf("%+v: the server saw %+v", test, seen)
		}
		conn.Close(errors.NormalClosure, "")
	}
}

func TestDialHeader(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		got <- r
		echoServer(w, r)
	})
	header := map[string][]string{
		"authorization": {"Bearer abc"}, "X-Two": {"1"}, "x-two": {"2"}, "Host": {"other.example:81"}, "Origin": {"http://other.example:81"},
	}
	conn, err := isosocket.Dial(bounded(t), s.URL, &isosocket.DialOptions{Header: header})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(errors.NormalClosure, "")
	r := <-got
	if r.Host != "other.example:81" || r.Header.Get("Authorization") != "Bearer abc" || len(r.Header["X-Two"]) != 2 {
		t.Errorf("the server saw Host %q and %v", r.Host, r.Header)
	}
	if len(header) != 5 {
		t.Errorf("Dial changed the header to %v", header)
	}
}

func TestDialRejectsOptionsBeforeIO(t *testing.T) {
	t.Parallel()
	noIO := func(context.Context, string, string) (net.Conn, error) {
		t.Error("Dial opened a connection")
		return nil, io.ErrClosedPipe
	}
	header := func(name string, values ...string) *isosocket.DialOptions {
		return &isosocket.DialOptions{Header: map[string][]string{name: values}}
	}
	client := &http.Client{Transport: http.DefaultTransport}
	for _, test := range []struct {
		name string
		o    *isosocket.DialOptions
		want string
	}{
		{"Connection", header("connection", "close"), "Connection may not be set: the handshake sets it itself"},
		{"Upgrade", header("Upgrade", "h2c"), "Upgrade may not be set"},
		{"Sec-WebSocket-Key", header("Sec-WebSocket-Key", "x"), "Sec-Websocket-Key may not be set: the handshake sets it itself"},
		{"Sec-WebSocket-Protocol", header("SEC-WEBSOCKET-PROTOCOL", "x"), "use DialOptions.Subprotocols"},
		{"Sec-WebSocket-Extensions", header("Sec-WebSocket-Extensions", "x"), "use DialOptions.Compression"},
		{"Content-Length", header("Content-Length", "1"), "a handshake request has no body"},
		{"a name that is no token", header("X Y", "x"), `"X Y" is not a token`},
		{"an empty name", header("", "x"), `"" is not a token`},
		{"a value with a line break", header("X-Y", "ok", "x\r\nEvil: 1"), "X-Y has a control character at byte 1"},
		{"two hosts", header("Host", "a", "b"), "Host has more than one value"},
		{"a host that is a URL", header("Host", "http://a"), "not a host with an optional port"},
		{"a host that no request can have", header("Host", "\""), "not a host with an optional port"},
		{"a host with other letters", header("Host", "ä.example"), "not a host with an optional port"},
		{"an empty host", header("Host", ""), "not a host with an optional port"},
		{"a compression level", &isosocket.DialOptions{Compression: &ws.Compression{Level: -1}}, "Level is -1; allowed are 1 to 9"},
		{"window bits", &isosocket.DialOptions{Compression: &ws.Compression{MaxWindowBits: 16}}, "MaxWindowBits is 16; allowed are 9 to 15"},
		{"TLSConfig with a transport", &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: client, TLSConfig: &tls.Config{}}},
			"NativeOptions.TLSConfig and the Transport of NativeOptions.HTTPClient exclude each other"},
		{"Proxy with a transport", &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: client, Proxy: http.ProxyFromEnvironment}},
			"NativeOptions.Proxy and the Transport"},
		{"DialContext with a transport", &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: client, DialContext: noIO}},
			"NativeOptions.DialContext and the Transport"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.o.Native == nil {
				test.o.Native = &isosocket.NativeOptions{DialContext: noIO}
			}
			_, err := isosocket.Dial(bounded(t), "ws://example.com/", test.o)
			assertRefused(t, err, 0, test.want)
		})
	}
}

func TestDialInvalid(t *testing.T) {
	t.Parallel()
	_, err := isosocket.Dial(bounded(t), "ftp://ann:secret@example.com/", nil)
	if failed := assertRefused(t, err, 0, "ftp"); !errors.Is(err, errors.ErrInvalidURL) || strings.Contains(failed.Error(), "secret") {
		t.Errorf("Dial = %v", err)
	}
	_, err = isosocket.Dial(bounded(t), "ws://example.com/", &isosocket.DialOptions{Subprotocols: []string{"a", "a"}})
	if assertRefused(t, err, 0, "given twice"); !errors.Is(err, errors.ErrInvalidSubprotocol) {
		t.Errorf("Dial = %v", err)
	}
}

func TestDialRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 204, 400, 401, 403, 404, 426, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s := start(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Why", "because")
				http.Error(w, "we do not like you\nat all", status)
			})
			_, err := isosocket.Dial(bounded(t), s.URL, nil)
			text := http.StatusText(status) + ": we do not like you"
			body := "we do not like you\nat all\n"
			if status == 204 {
				text, body = http.StatusText(status), ""
			}
			failed := assertRefused(t, err, status, text)
			if http.Header(failed.Header).Get("X-Why") != "because" || string(failed.Body) != body || strings.Contains(err.Error(), "at all") {
				t.Errorf("Dial = %v\nHeader %v\nBody %q", err, failed.Header, failed.Body)
			}
			if failed.URL != "ws"+strings.TrimPrefix(s.URL, "http")+"/" {
				t.Errorf("URL = %q", failed.URL)
			}
		})
	}
}

func TestDialRefusedWithAPage(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, strings.Repeat("<p>not here</p>", 1000))
	})
	_, err := isosocket.Dial(bounded(t), s.URL, nil)
	failed := assertRefused(t, err, 404, "HTTP status 404: Not Found")
	if len(failed.Body) != 1024 || strings.Contains(err.Error(), "<p>") {
		t.Errorf("Dial = %v with a body of %d bytes", err, len(failed.Body))
	}
}

// TestDialRefusedWithANastySentence checks that text from a server cannot break the lines of a
// log or fill it.
func TestDialRefusedWithANastySentence(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "\x1b[31mred\rx\xff"+strings.Repeat("€", 300))
	})
	_, err := isosocket.Dial(bounded(t), s.URL, nil)
	assertRefused(t, err, 403, "Forbidden:  [31mred x\uFFFD€")
	if text := err.Error(); len(text) > 400 || strings.ContainsAny(text, "\x1b\r") || !utf8.ValidString(text) {
		t.Errorf("Dial = %q", text)
	}
}

func TestDialRedirect(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	for _, client := range []*http.Client{nil, s.Client(), {CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}} {
		requests.Store(0)
		_, err := isosocket.Dial(bounded(t), s.URL, &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: client}})
		failed := assertRefused(t, err, 307, "redirects are not followed")
		if !errors.Is(err, errors.ErrRedirected) || failed.StatusGuessed {
			t.Errorf("Dial returned %#v, want ErrRedirected and no guess", failed)
		}
		if got := http.Header(failed.Header).Get("Location"); got != "/elsewhere" || requests.Load() != 1 {
			t.Errorf("%d requests, Location %q", requests.Load(), got)
		}
	}
}

func TestDialBadAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		o      isosocket.DialOptions
		answer func(accept string) string
		status int
		want   string
	}{
		{"a wrong Sec-WebSocket-Accept", isosocket.DialOptions{}, func(string) string { return switching("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") }, 0, "Sec-WebSocket-Accept"},
		{"no Sec-WebSocket-Accept", isosocket.DialOptions{}, func(string) string { return switching("") }, 0, "Sec-WebSocket-Accept"},
		{"no Connection", isosocket.DialOptions{}, func(accept string) string {
			return strings.Replace(switching(accept), "Connection: Upgrade\r\n", "", 1)
		}, 0, "Connection"},
		{"no Upgrade", isosocket.DialOptions{}, func(accept string) string {
			return strings.Replace(switching(accept), "Upgrade: websocket\r\n", "", 1)
		}, 0, "Upgrade"},
		{"a subprotocol not asked for", isosocket.DialOptions{}, func(accept string) string {
			return switching(accept, "Sec-WebSocket-Protocol: chat")
		}, 0, `"chat"`},
		{"another subprotocol", isosocket.DialOptions{Subprotocols: []string{"a"}}, func(accept string) string {
			return switching(accept, "Sec-WebSocket-Protocol: chat")
		}, 0, `"chat"`},
		{"a subprotocol in another case", isosocket.DialOptions{Subprotocols: []string{"chat"}}, func(accept string) string {
			return switching(accept, "Sec-WebSocket-Protocol: CHAT")
		}, 0, `the server chose the subprotocol "CHAT", which was not offered`},
		{"two subprotocols", isosocket.DialOptions{Subprotocols: []string{"a", "b"}}, func(accept string) string {
			return switching(accept, "Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b")
		}, 0, "the server chose 2 subprotocols, a, b; one is allowed"},
		{"none of the subprotocols", isosocket.DialOptions{Subprotocols: []string{"a", "b"}}, func(accept string) string { return switching(accept) }, 0,
			"the server chose none of the subprotocols a, b"},
		{"an extension not offered", isosocket.DialOptions{}, func(accept string) string {
			return switching(accept, "Sec-WebSocket-Extensions: permessage-deflate")
		}, 0, `the extension "permessage-deflate", which was not offered`},
		{"another extension", isosocket.DialOptions{Compression: &ws.Compression{}}, func(accept string) string {
			return switching(accept, "Sec-WebSocket-Extensions: x-magic")
		}, 0, `the extension "x-magic", which was not offered`},
		{"a parameter not offered", isosocket.DialOptions{Compression: &ws.Compression{}}, func(accept string) string {
			return switching(accept, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; level=9")
		}, 0, `"level" is unknown`},
		{"a window larger than asked for", isosocket.DialOptions{Compression: &ws.Compression{MaxWindowBits: 10, StrictWindowBits: true}}, func(accept string) string {
			return switching(accept, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=15")
		}, 0, "server_max_window_bits is 15, and at most 10 is allowed"},
		{"no HTTP", isosocket.DialOptions{}, func(string) string { return "SSH-2.0-OpenSSH_9.2\r\n\r\n" }, 0, "malformed HTTP"},
		{"a header without end", isosocket.DialOptions{}, func(string) string {
			return "HTTP/1.1 101 Switching Protocols\r\nX: " + strings.Repeat("x", 100_000)
		}, 0, "exceeded"},
		{"a refusal without end", isosocket.DialOptions{}, func(string) string {
			return "HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 2000)
		}, 403, "Forbidden"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := isosocket.Dial(bounded(t), rawServer(t, test.answer), &test.o)
			assertRefused(t, err, test.status, test.want)
		})
	}
}

// The server may send right after its answer, and net/http may read these bytes with the answer.
func TestDialMessageInThePacketOfTheHandshake(t *testing.T) {
	t.Parallel()
	frames := "\x81\x02hi\x82\x7e\x07\xd0" + strings.Repeat("x", 2000) + "\x88\x02\x0f\xa1"
	answer := func(accept string) string { return switching(accept) + frames }
	secure, config := startTLS(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, answer(acceptOf(r)))
		io.Copy(io.Discard, conn)
	})
	plain := rawServer(t, answer)
	for _, test := range []struct {
		name, url string
		n         *isosocket.NativeOptions
	}{
		{"its own transport", plain, nil},
		{"an HTTP client", plain, &isosocket.NativeOptions{HTTPClient: &http.Client{Transport: &http.Transport{}}}},
		{"a RoundTripper that does not reveal the connection", plain, &isosocket.NativeOptions{HTTPClient: &http.Client{Transport: quietTransport{&http.Transport{}}}}},
		{"TLS", secure.URL, &isosocket.NativeOptions{TLSConfig: config}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := isosocket.Dial(bounded(t), test.url, &isosocket.DialOptions{Native: test.n})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(errors.NormalClosure, "")
			for _, size := range []int{2, 2000} {
				if m, err := conn.Receive(bounded(t)); err != nil || len(m.Data) != size {
					t.Errorf("Receive = %d bytes, %v, want %d", len(m.Data), err, size)
				}
			}
			if _, err := conn.Receive(bounded(t)); !errors.Is(err, errors.CloseReason(4001)) {
				t.Errorf("Receive = %v, want 4001", err)
			}
		})
	}
}

// quietTransport hides from traces which connection it uses.
type quietTransport struct{ base http.RoundTripper }

func (q quietTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	quiet := r.Clone(context.WithoutCancel(contextWithoutValues{r.Context()}))
	return q.base.RoundTrip(quiet)
}

type contextWithoutValues struct{ context.Context }

func (contextWithoutValues) Value(any) any { return nil }

// readOnlyTransport gives bodies that cannot be written to.
type readOnlyTransport struct{ http.Transport }

func (r *readOnlyTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.Transport.RoundTrip(request)
	if err == nil {
		response.Body = struct{ io.ReadCloser }{response.Body}
	}
	return response, err
}

func TestDialOverRoundTrippers(t *testing.T) {
	t.Parallel()
	s := start(t, echoServer)
	client := &http.Client{Transport: quietTransport{&http.Transport{}}}
	conn, err := isosocket.Dial(bounded(t), s.URL, &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: client}})
	if err != nil {
		t.Fatal(err)
	}
	assertEcho(t, conn)

	client = &http.Client{Transport: &readOnlyTransport{}}
	_, err = isosocket.Dial(bounded(t), s.URL, &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: client}})
	assertRefused(t, err, 0, "io.ReadWriteCloser")
}

func TestDialTLS(t *testing.T) {
	t.Parallel()
	s, config := startTLS(t, echoServer)
	for name, n := range map[string]*isosocket.NativeOptions{
		"TLSConfig":       {TLSConfig: config},
		"NextProtos h2":   {TLSConfig: &tls.Config{RootCAs: config.RootCAs, NextProtos: []string{"h2", "http/1.1"}}},
		"an HTTP client":  {HTTPClient: s.Client()}, // which would speak HTTP/2
		"own TLS dialing": {HTTPClient: &http.Client{Transport: &http.Transport{DialTLSContext: (&tls.Dialer{Config: config}).DialContext}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := isosocket.Dial(bounded(t), strings.Replace(s.URL, "https", "wss", 1), &isosocket.DialOptions{Native: n})
			if err != nil {
				t.Fatal(err)
			}
			assertEcho(t, conn)
		})
	}
}

func TestDialNetworkErrors(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	secure, _ := startTLS(t, echoServer)
	plain := start(t, echoServer)

	_, err = isosocket.Dial(bounded(t), "ws://"+closed.Addr().String(), nil)
	assertRefused(t, err, 0, "connection refused")
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("the cause is hidden: %v", err)
	}

	_, err = isosocket.Dial(bounded(t), "wss"+strings.TrimPrefix(secure.URL, "https"), nil)
	assertRefused(t, err, 0, "certificate")
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("the cause is hidden: %v", err)
	}

	_, err = isosocket.Dial(bounded(t), "wss"+strings.TrimPrefix(plain.URL, "http"), nil)
	assertRefused(t, err, 0, "the server does not answer with TLS")

	_, err = isosocket.Dial(bounded(t), "ws://host.invalid/", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
		},
	}})
	assertRefused(t, err, 0, "no such host")
	if _, ok := errors.AsType[*net.DNSError](err); !ok {
		t.Errorf("the cause is hidden: %v", err)
	}
}

// greeted is a connection whose peer has sent data first.
type greeted struct {
	net.Conn
	greeting io.Reader
}

func (c *greeted) Read(p []byte) (int, error) {
	if n, _ := c.greeting.Read(p); n > 0 {
		return n, nil
	}
	return c.Conn.Read(p)
}

// TestDialServerSpeaksFirst checks servers of protocols in which the server sends first, such as
// SSH and mail: Dial must return ErrBadHandshake, and net/http must not write to the standard
// logger. It replaces the logger, so it is not parallel.
func TestDialServerSpeaksFirst(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	synctest.Test(t, func(t *testing.T) {
		// The greeting arrives between the connection and the request.
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { time.Sleep(time.Second) },
		})
		ours, theirs := net.Pipe()
		defer theirs.Close()
		go io.Copy(io.Discard, theirs)
		_, err := isosocket.Dial(ctx, "ws://mail.example", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return &greeted{Conn: ours, greeting: strings.NewReader("SSH-2.0-example\r\n")}, nil
			},
		}})
		assertRefused(t, err, 0, `malformed HTTP response "SSH-2.0-example"`)
	})
	if logged.Len() > 0 {
		t.Errorf("logged: %s", &logged)
	}
}

// TestDialServerClosesAtOnce checks that the error says that the server closed at once.
func TestDialServerClosesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() {
			bufio.NewReader(theirs).ReadString('\n')
			theirs.Close()
		}()
		_, err := isosocket.Dial(t.Context(), "ws://closed.example", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil },
		}})
		assertRefused(t, err, 0, "the server closed the connection in place of an answer")
	})
}

func TestDialUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
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
	assertEcho(t, conn)
}

// proxy is an HTTP proxy that records its requests.
func proxy(t *testing.T, asked chan<- string) func(*http.Request) (*url.URL, error) {
	t.Helper()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.RequestURI + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
		if r.Header.Get("Proxy-Authorization") == "" {
			http.Error(w, "who are you", http.StatusProxyAuthRequired)
			return
		}
		target, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(target, buffered); target.Close() }()
		go func() { io.Copy(client, target); client.Close() }()
	})
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return func(r *http.Request) (*url.URL, error) {
		through := *u
		if r.URL.Path != "/anonymous" {
			through.User = url.UserPassword("ann", "secret")
		}
		return &through, nil
	}
}

func TestDialProxy(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 1)
	plain := start(t, echoServer)
	secure, config := startTLS(t, echoServer)
	n := &isosocket.NativeOptions{TLSConfig: config, Proxy: proxy(t, asked)}
	for _, s := range []*httptest.Server{plain, secure} {
		conn, err := isosocket.Dial(bounded(t), s.URL+"/", &isosocket.DialOptions{Native: n})
		if err != nil {
			t.Fatal(err)
		}
		addr := s.Listener.Addr().String()
		want := "CONNECT " + addr + " " + addr + " Basic YW5uOnNlY3JldA=="
		if got := <-asked; got != want {
			t.Errorf("the proxy got requests for %q, want %q", got, want)
		}
		assertEcho(t, conn)
	}
	for _, s := range []*httptest.Server{plain, secure} {
		_, err := isosocket.Dial(bounded(t), s.URL+"/anonymous", &isosocket.DialOptions{Native: n})
		<-asked
		assertRefused(t, err, 0, "the answer to CONNECT is 407 Proxy Authentication Required")
	}
	_, err := isosocket.Dial(bounded(t), plain.URL, &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		Proxy: func(*http.Request) (*url.URL, error) { return nil, io.ErrNoProgress },
	}})
	if assertRefused(t, err, 0, "multiple Read calls"); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("the cause is hidden: %v", err)
	}
}

func TestDialProxyAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, answer, want string }{
		{"with a refusal", "HTTP/1.1 403 Forbidden\r\n\r\n", "the answer to CONNECT is 403 Forbidden"},
		{"with no HTTP", "hello\r\n\r\n", "no answer to CONNECT: malformed HTTP"},
		{"with too much", "HTTP/1.1 200 OK\r\n\r\nand more", "sent data right after its answer to CONNECT"},
		{"without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100_000), "its header exceeds 65536 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			proxy, err := url.Parse(strings.Replace(rawServer(t, func(string) string { return test.answer }), "ws:", "http:", 1))
			if err != nil {
				t.Fatal(err)
			}
			proxy.User = url.UserPassword("ann", "secret")
			_, err = isosocket.Dial(bounded(t), "ws://host.invalid/", &isosocket.DialOptions{Native: &isosocket.NativeOptions{Proxy: http.ProxyURL(proxy)}})
			if assertRefused(t, err, 0, test.want); strings.Contains(err.Error(), "secret") {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestDialCookies(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("session"); err != nil || cookie.Value != "7" {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "7"})
			http.Error(w, "now you are known", http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "opened", Value: "yes"})
		echoServer(w, r)
	})
	jar, _ := cookiejar.New(nil)
	o := &isosocket.DialOptions{Native: &isosocket.NativeOptions{HTTPClient: &http.Client{Jar: jar}}}
	_, err := isosocket.Dial(bounded(t), s.URL, o)
	assertRefused(t, err, 401, "now you are known")
	conn, err := isosocket.Dial(bounded(t), s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	assertEcho(t, conn)
	u, _ := url.Parse(s.URL)
	if got := fmt.Sprint(jar.Cookies(u)); !strings.Contains(got, "opened=yes") {
		t.Errorf("the jar has %s", got)
	}
}

// TestDialTrace checks that a trace in ctx still gets the events.
func TestDialTrace(t *testing.T) {
	t.Parallel()
	s := start(t, echoServer)
	var connects, gots atomic.Int32
	ctx := httptrace.WithClientTrace(bounded(t), &httptrace.ClientTrace{
		ConnectStart: func(string, string) { connects.Add(1) },
		GotConn:      func(httptrace.GotConnInfo) { gots.Add(1) },
	})
	conn, err := isosocket.Dial(ctx, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(errors.NormalClosure, "")
	if connects.Load() != 1 || gots.Load() != 1 {
		t.Errorf("ConnectStart was called %d times, GotConn %d times", connects.Load(), gots.Load())
	}
}

// TestDialContextMayEndAfterwards checks that ctx bounds Dial only.
func TestDialContextMayEndAfterwards(t *testing.T) {
	t.Parallel()
	s := start(t, echoServer)
	ctx, cancel := context.WithCancel(bounded(t))
	conn, err := isosocket.Dial(ctx, s.URL, nil)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	assertEcho(t, conn)
}

// countingConn is a connection that counts its Close.
type countingConn struct {
	net.Conn
	open *atomic.Int32
	once *sync.Once
}

func (c countingConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// silentServer accepts connections and sends nothing until the test ends.
func silentServer(t *testing.T) (addr string, accepted <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan struct{}, 16)
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			ch <- struct{}{}
			conns.Go(func() { io.Copy(io.Discard, conn); conn.Close() })
		}
	})
	return l.Addr().String(), ch
}

// TestDialCancelled checks that a cancelled Dial leaves no goroutine and no connection, whatever
// it was waiting for. It counts goroutines, so it is not parallel.
func TestDialCancelled(t *testing.T) {
	reason := errors.New("the user gave up")
	for _, test := range []struct {
		name string
		url  string // with %s for the silent server's address
		n    func(addr string) *isosocket.NativeOptions
	}{
		{"in the answer", "ws://%s/", nil},
		{"in the TLS handshake", "wss://%s/", nil},
		{"at a proxy", "wss://host.invalid/", func(addr string) *isosocket.NativeOptions {
			return &isosocket.NativeOptions{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr})}
		}},
		{"at a proxy for ws", "ws://host.invalid/", func(addr string) *isosocket.NativeOptions {
			return &isosocket.NativeOptions{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr})}
		}},
		{"at a proxy with TLS", "ws://host.invalid/", func(addr string) *isosocket.NativeOptions {
			return &isosocket.NativeOptions{Proxy: http.ProxyURL(&url.URL{Scheme: "https", Host: addr})}
		}},
		{"at a SOCKS proxy", "ws://host.invalid/", func(addr string) *isosocket.NativeOptions {
			return &isosocket.NativeOptions{Proxy: http.ProxyURL(&url.URL{Scheme: "socks5", Host: addr})}
		}},
	} {
		for _, how := range []string{"cancel", "deadline", "HandshakeTimeout"} {
			t.Run(test.name+", "+how, func(t *testing.T) {
				leak.Check(t)
				addr, accepted := silentServer(t)
				var open atomic.Int32
				n := &isosocket.NativeOptions{}
				if test.n != nil {
					n = test.n(addr)
				}
				n.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					if err != nil {
						return nil, err
					}
					open.Add(1)
					return countingConn{conn, &open, new(sync.Once)}, nil
				}
				o := &isosocket.DialOptions{Native: n}
				want := context.DeadlineExceeded
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				switch how {
				case "cancel":
					want = context.Canceled
					go func() { <-accepted; cancel(reason) }()
				case "deadline":
					var stop context.CancelFunc
					ctx, stop = context.WithTimeout(ctx, 50*time.Millisecond)
					defer stop()
				default:
					o.HandshakeTimeout = 50 * time.Millisecond
				}
				_, err := isosocket.Dial(ctx, strings.Replace(test.url, "%s", addr, 1), o)
				text := want.Error()
				if how == "HandshakeTimeout" {
					text += ": no connection within the HandshakeTimeout of 50ms"
				}
				failed := assertRefused(t, err, 0, text)
				if !errors.Is(err, want) || how == "cancel" && !errors.Is(err, reason) {
					t.Errorf("Dial = %v, want it to be %v", err, want)
				}
				if failed.Timeout() != (want == context.DeadlineExceeded) {
					t.Errorf("Timeout = %v of %v", failed.Timeout(), err)
				}
				if n := open.Load(); n != 0 {
					t.Errorf("%d connections are open", n)
				}
			})
		}
	}
}

// TestDialCancelledWhileConnecting checks that a DialContext that returns after Dial leaves no
// connection.
func TestDialCancelledWhileConnecting(t *testing.T) {
	leak.Check(t)
	ctx, cancel := context.WithCancel(t.Context())
	dialing, goOn, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() { <-dialing; cancel() }()
	_, err := isosocket.Dial(ctx, "ws://host.invalid/", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			close(dialing)
			<-goOn // ignores ctx
			return closeTold{closed: closed}, nil
		},
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Dial = %v", err)
	}
	close(goOn)
	<-closed
}

type closeTold struct {
	net.Conn
	closed chan struct{}
}

func (c closeTold) Close() error { close(c.closed); return nil }

func TestDialContextHasEndedBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := isosocket.Dial(ctx, "ws://host.invalid/", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Error("Dial opened a connection")
			return nil, io.ErrClosedPipe
		},
	}})
	if assertRefused(t, err, 0, "context canceled"); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial = %v", err)
	}
}

// TestDialRefusedLeavesNothing checks that the connections of refused Dials are closed. It
// counts goroutines, so it is not parallel.
func TestDialRefusedLeavesNothing(t *testing.T) {
	leak.Check(t)
	var open atomic.Int32
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	for range 20 {
		_, err := isosocket.Dial(bounded(t), s.URL, nil)
		assertRefused(t, err, 404, "page not found")
	}
	for until := time.Now().Add(30 * time.Second); open.Load() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Errorf("%d connections are open", open.Load())
			break
		}
	}
	s.Close()
}

// TestDialAndCloseLeavesNothing counts goroutines, so it is not parallel.
func TestDialAndCloseLeavesNothing(t *testing.T) {
	leak.Check(t)
	s := httptest.NewServer(http.HandlerFunc(echoServer))
	for range 50 {
		conn, err := isosocket.Dial(bounded(t), s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(errors.NormalClosure, ""); err != nil {
			t.Error(err)
		}
	}
	s.Close()
}
