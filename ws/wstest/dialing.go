package wstest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

func dialCases() []Case {
	return []Case{
		{
			ID:      "P25",
			Event:   "Dial: connection refused, unknown host, TLS failure, timeout",
			Outcome: "ConnectionError{StatusCode: 0}; errors.Is finds the error of ctx",
			Why:     "RFC 6455, section 4.1: fail the connection; WHATWG hides the reason, so the status is 0 without an answer",
			Want: []Expectation{
				same("connection refused", "ConnectionError{0}"),
				same("unknown host", "ConnectionError{0}"),
				same("TLS to a port without TLS", "ConnectionError{0}"),
				same("a certificate that is not trusted", "ConnectionError{0}"),
				same("ctx's deadline in the handshake", "ConnectionError{0} that is context.DeadlineExceeded"),
				same("ctx cancelled in the handshake", "ConnectionError{0} that is context.Canceled"),
				same("ctx ended before Dial", "ConnectionError{0} that is context.Canceled"),
				same("HandshakeTimeout", "ConnectionError{0} that is context.DeadlineExceeded"),
				same("each names the URL, without its query", "yes"),
			},
			run: runNoConnection,
		},
		{
			ID:      "P26",
			Event:   "Dial: 400, 401, 403, 404, 426, 500, 503",
			Outcome: "ConnectionError{StatusCode: n} on both",
			Why:     "RFC 6455, section 4.1: any answer but 101 refuses; in a browser, Dial requests the status with fetch",
			Want:    wantStatuses(),
			run:     runStatuses,
		},
		{
			ID:      "P27",
			Event:   "Dial: redirect",
			Outcome: "refused, as browsers do: ConnectionError{StatusCode: 3xx or 0}, no second request with credentials",
			Why:     "WHATWG Fetch, WebSocket opening handshake: redirect mode \"error\"",
			Want:    wantRedirects(),
			run:     runRedirects,
		},
		{
			ID:      "P28",
			Event:   "Dial: wrong Sec-WebSocket-Accept, unrequested subprotocol, no subprotocol though requested, extension not offered",
			Outcome: "ConnectionError",
			Why:     "RFC 6455, section 4.1, the client's checks 4 to 6; WHATWG: no subprotocol fails, too",
			Want:    wantWrongAnswers(),
			run:     runWrongAnswers,
		},
		{
			ID:      "P29",
			Event:   "Dial: empty URL, other scheme, fragment, no host, subprotocol that is no token or is doubled",
			Outcome: "ConnectionError that is ErrInvalidURL or ErrInvalidSubprotocol, before any I/O",
			Why:     "RFC 6455, section 3; WHATWG WebSocket constructor, steps 1 to 9",
			Want:    wantInvalid(),
			run:     runInvalid,
		},
		{
			ID:      "P30",
			Event:   "ws, wss, http and https URLs; query strings; IPv6 literals; percent-encoding",
			Outcome: "all work",
			Why:     "WHATWG WebSocket constructor, steps 3 and 4: http and https stand for ws and wss",
			Want:    wantURLs(),
			run:     runURLs,
		},
		{
			ID:      "P31",
			Event:   "subprotocols",
			Outcome: "the first subprotocol in the client's list that the server accepts; the server may choose with a function of the request",
			Why:     "RFC 6455, section 4.2.2: the client lists them in its order of preference",
			Want: []Expectation{
				same("asked for a, b, c; the server accepts c, b", "b"),
				same("asked for c; the server accepts c, b", "c"),
				same("asked for none; the server accepts c, b", "none"),
				same("asked for a; the server accepts c, b", "ConnectionError"),
				same("asked for a, b; the server chooses b by the request", "b"),
				same("asked for a subprotocol with every character of a token", subprotocolOfAll),
				same("the connection", usable),
			},
			run: runSubprotocols,
		},
	}
}

// connectionError describes err without its StatusCode.
func connectionError(err error) string {
	if failed, ok := errors.AsType[*errors.ConnectionError](err); ok && errors.Is(failed, errors.ErrWebSocket) {
		return "ConnectionError"
	}
	return Describe(err)
}

func runNoConnection(r *row) {
	named := true
	see := func(key string, ctx context.Context, url string, o *Options) {
		conn, err := r.target.Dial(ctx, url, o)
		if err == nil {
			_ = conn.Close(errors.NormalClosure, "")
		}
		address, query, _ := strings.Cut(url, "?")
		named = named && err != nil && strings.Contains(err.Error(), address) && (query == "" || !strings.Contains(err.Error(), query))
		r.see(key, Describe(err))
	}
	s := r.target.Server
	see("connection refused", r.ctx, s.Refused+"/echo", &Options{})
	see("unknown host", r.ctx, "ws://nowhere.invalid/echo", &Options{})
	see("TLS to a port without TLS", r.ctx, "wss"+strings.TrimPrefix(s.URL, "ws")+"/echo", &Options{})
	see("a certificate that is not trusted", r.ctx, s.Untrusted+"/echo", &Options{})

	ctx, cancel := context.WithTimeout(r.ctx, 200*time.Millisecond)
	see("ctx's deadline in the handshake", ctx, r.url("/hang"), &Options{})
	cancel()

	id := r.newID()
	ctx, cancel = context.WithCancel(r.ctx)
	watched := make(chan error, 1)
	go func() {
		_, err := r.ask("/observed", "id", id, "until", "request")
		cancel()
		watched <- err
	}()
	see("ctx cancelled in the handshake", ctx, r.url("/hang", "id", id), &Options{})
	if err := <-watched; err != nil {
		r.t.Fatal(err)
	}
	see("ctx ended before Dial", ctx, r.url("/echo"), &Options{})
	see("HandshakeTimeout", r.ctx, r.url("/hang"), &Options{HandshakeTimeout: 200 * time.Millisecond})
	r.see("each names the URL, without its query", yesNo(named))
}

var statuses = []int{400, 401, 403, 404, 426, 500, 503}

func wantStatuses() []Expectation {
	var want []Expectation
	for _, code := range statuses {
		want = append(want, same(fmt.Sprint(code), fmt.Sprintf("ConnectionError{%d}", code)))
	}
	return append(want, same("Retry-After of 503", "7"))
}

func runStatuses(r *row) {
	for _, code := range statuses {
		_, err := r.dialURL(r.url("/status", "code", code), nil)
		r.see(fmt.Sprint(code), Describe(err))
		if failed, ok := errors.AsType[*errors.ConnectionError](err); ok && code == 503 {
			r.see("Retry-After of 503", strings.Join(failed.Header["Retry-After"], ", "))
		}
	}
}

var redirects = []int{301, 302, 303, 307, 308}

func wantRedirects() []Expectation {
	var want []Expectation
	for _, code := range redirects {
		want = append(want, same(fmt.Sprint(code), "ConnectionError{3xx or 0}, not followed"))
	}
	return append(want, same("to another host", "ConnectionError{3xx or 0}, not followed"))
}

func runRedirects(r *row) {
	for i, code := range append(slices.Clone(redirects), 302) {
		id := r.newID()
		key, to := fmt.Sprint(code), r.url("/echo", "id", id)
		if i == len(redirects) {
			key, to = "to another host", address(r.target.Server.Control, "/echo", "id", id)
		}
		to = "http" + strings.TrimPrefix(to, "ws")
		_, err := r.dialURL(r.url("/redirect", "code", code, "to", to), nil)
		got := Describe(err)
		if failed, ok := errors.AsType[*errors.ConnectionError](err); ok && (failed.StatusCode == code || failed.StatusCode == 0) {
			got = "ConnectionError{3xx or 0}"
		}
		text, err := r.ask("/observed", "id", id, "now", 1)
		if err != nil {
			r.t.Fatal(err)
		}
		if text == "[]" {
			r.see(key, got+", not followed")
		} else {
			r.see(key, got+", followed: "+text)
		}
	}
}

var wrongAnswers = []struct {
	name      string
	protocols []string
	query     []any
}{
	{"wrong Sec-WebSocket-Accept", nil, []any{"accept", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}},
	{"a subprotocol though none was requested", nil, []any{"protocol", "chat"}},
	{"a subprotocol that was not requested", []string{"a", "b"}, []any{"protocol", "c"}},
	{"no subprotocol though requested", []string{"a", "b"}, []any{"protocol", ""}},
	{"two subprotocols", []string{"a", "b"}, []any{"protocol", "a, b"}},
	{"an extension that was not offered", nil, []any{"extension", "x-not-offered"}},
}

func wantWrongAnswers() []Expectation {
	var want []Expectation
	for _, a := range wrongAnswers {
		want = append(want, same(a.name, "ConnectionError"))
	}
	return append(want, same("a right answer", usable))
}

func runWrongAnswers(r *row) {
	for _, a := range wrongAnswers {
		_, err := r.dialURL(r.url("/handshake", a.query...), &Options{Subprotocols: a.protocols})
		r.see(a.name, connectionError(err))
	}
	r.see("a right answer", r.echoes(r.dial(&Options{Subprotocols: []string{"a"}}, "/handshake")))
}

var invalidURLs = []struct{ name, url string }{
	{"empty", ""},
	{"no scheme", "example.com/echo"},
	{"relative", "/echo"},
	{"scheme ftp", "ftp://127.0.0.1/"},
	{"scheme mailto", "mailto:user"},
	{"a fragment", "ws://127.0.0.1/#here"},
	{"an empty fragment", "ws://127.0.0.1/#"},
	{"no host", "ws:///echo"},
	{"no slashes", "ws:127.0.0.1"},
	{"a placeholder", "ws://{host}/ws"},
	{"a placeholder of the shell", "ws://${HOST}:8080/ws"},
	{"letters in an IPv6 literal", "ws://[zz]/"},
	{"an IPv6 literal with a zone", "ws://[fe80::1%25eth0]/"},
	{"an IPv4 number over 255", "ws://127.0.0.256/"},
	{"five IPv4 numbers", "ws://127.0.0.0.1/"},
	{"a bar in the host", "ws://ex|ample/"},
	{"a broken percent-encoding in the host", "ws://ex%zz/"},
	{"a host that IDNA does not allow", "ws://\u2488.example/"},
	{"port 0", "ws://127.0.0.1:0/"},
	{"only a port", "ws://:80/"},
	{"a port that is no number", "ws://127.0.0.1:http/"},
	{"a port over 65535", "ws://127.0.0.1:65536/"},
	{"a space in the host", "ws://exa mple/"},
	{"half an IPv6 literal", "ws://[::1/"},
}

var invalidSubprotocols = []struct {
	name string
	list []string
}{
	{"an empty subprotocol", []string{""}},
	{"a space", []string{"a b"}},
	{"a comma", []string{"a,b"}},
	{"a quote", []string{`"a"`}},
	{"not ASCII", []string{"é"}},
	{"a control character", []string{"a\n"}},
	{"the same one twice", []string{"a", "b", "a"}},
}

func wantInvalid() []Expectation {
	var want []Expectation
	for _, u := range invalidURLs {
		want = append(want, same(u.name, "ConnectionError{0} that is ErrInvalidURL"))
	}
	for _, p := range invalidSubprotocols {
		want = append(want, same(p.name, "ConnectionError{0} that is ErrInvalidSubprotocol"))
	}
	return append(want, same("the server saw no request", "yes"))
}

func runInvalid(r *row) {
	for _, u := range invalidURLs {
		_, err := r.dialURL(u.url, nil)
		r.see(u.name, Describe(err))
	}
	id := r.newID()
	for _, p := range invalidSubprotocols {
		_, err := r.dialURL(r.url("/hang", "id", id), &Options{Subprotocols: p.list})
		r.see(p.name, Describe(err))
	}
	text, err := r.ask("/observed", "id", id, "now", 1)
	if err != nil {
		r.t.Fatal(err)
	}
	r.see("the server saw no request", yesNo(text == "[]"))
}

// requests are URLs without scheme and host, and the targets that the request line must have. No
// query is empty: Node's WebSocket drops the question mark.
var requests = []struct{ name, target, want string }{
	{"no path", "", "/"},
	{"no path but a query", "?a=1", "/?a=1"},
	{"a query", "/request?a=1&b=two+words&c=%26%3D", "/request?a=1&b=two+words&c=%26%3D"},
	{"an empty query value", "/request?a=&b", "/request?a=&b"},
	{"percent-encoding in the query", "/request?q=%C3%A9%20%2F%23", "/request?q=%C3%A9%20%2F%23"},
	{"percent-encoding in the path", "/request/%C3%A9%20%2Fx", "/request/%C3%A9%20%2Fx"},
	{"not ASCII in the path", "/request/é", "/request/%C3%A9"},
	{"not ASCII in the query", "/request?q=é", "/request?q=%C3%A9"},
	{"quotes and angle brackets", `/request/"<>?q="<>`, "/request/%22%3C%3E?q=%22%3C%3E"},
	{"dot segments", "/request/../request/./a/b/..", "/request/a/"},
	{"encoded dot segments", "/request/a/%2e%2E/.%2e/request/%2e/b", "/request/b"},
	{"empty segments", "/request//a//b/", "/request//a//b/"},
	{"backslashes", `/request\a\..\b?\`, `/request/b?\`},
	{"a space", "/request/a b?c d", "/request/a%20b?c%20d"},
	{"tabs and line breaks", "/request/a\tb?c\r\nd", "/request/ab?cd"},
	{"control characters", "/request/\x01?\x7f", "/request/%01?%7F"},
	{"an apostrophe", "/request/'?'", "/request/'?%27"},
	{"bars, circumflexes, backquotes and braces", "/request/|^`{}?|^`{}", "/request/%7C%5E%60%7B%7D?|^`{}"},
	{"brackets", "/request/[]?[]", "/request/[]?[]"},
	{"a % alone in the query", "/request?50%", "/request?50%"},
	{"emoji", "/request/😀?😀", "/request/%F0%9F%98%80?%F0%9F%98%80"},
	{"reserved characters", "/request/a;b=c,d:e@f!$'()*+?x=/?:@-._~", "/request/a;b=c,d:e@f!$'()*+?x=/?:@-._~"},
}

func wantURLs() []Expectation {
	var want []Expectation
	for _, scheme := range []string{"ws", "http", "WS", "wss", "https", "IPv6", "localhost"} {
		want = append(want, same(scheme, usable))
	}
	for _, q := range requests {
		want = append(want, same(q.name, "the server saw "+q.want))
	}
	return want
}

func runURLs(r *row) {
	s := r.target.Server
	rest := strings.TrimPrefix(s.URL, "ws")
	restTLS := strings.TrimPrefix(s.TLS, "wss")
	for _, u := range []struct{ name, url string }{
		{"ws", s.URL + "/echo"},
		{"http", "http" + rest + "/echo"},
		{"WS", "WS" + rest + "/echo"},
		{"wss", s.TLS + "/echo"},
		{"https", "https" + restTLS + "/echo"},
		{"IPv6", s.IPv6 + "/echo"},
		{"localhost", strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/echo"},
	} {
		if u.name == "IPv6" && s.IPv6 == "" {
			r.see(u.name, notRun+"this machine has no IPv6 loopback")
			continue
		}
		conn, err := r.dialURL(u.url, nil)
		if err != nil {
			r.see(u.name, Describe(err))
			continue
		}
		r.see(u.name, r.echoes(conn))
	}
	for _, q := range requests {
		r.see(q.name, "the server saw "+r.requestURI(s.URL+q.target))
	}
}

// requestURI dials url and returns the target of the request line that the
// server saw.
func (r *row) requestURI(url string) string {
	conn, err := r.dialURL(url, nil)
	if err != nil {
		return Describe(err)
	}
	m, err := conn.Receive(r.ctx)
	if err != nil {
		return Describe(err)
	}
	var request struct{ URI string }
	if err := json.Unmarshal(m.Data, &request); err != nil {
		return DescribeMessage(m)
	}
	return request.URI
}

// subprotocolOfAll contains every character that a token may contain besides letters and digits
// (RFC 9110, section 5.6.2).
const subprotocolOfAll = "v1.!#$%&'*+-^_`|~"

func runSubprotocols(r *row) {
	chosen := func(asked []string, query ...any) (string, *ws.Conn) {
		conn, err := r.dialURL(r.url("/library/subprotocol", query...), &Options{Subprotocols: asked})
		switch {
		case err != nil:
			return connectionError(err), nil
		case conn.Subprotocol() == "":
			return "none", conn
		}
		return conn.Subprotocol(), conn
	}
	if !r.target.Server.Library {
		for _, c := range dialCases() {
			if c.ID == r.id {
				for _, w := range c.Want {
					r.see(w.Key, notRun+"the server has no library endpoints")
				}
			}
		}
		return
	}
	got, _ := chosen([]string{"a", "b", "c"}, "accept", "c,b")
	r.see("asked for a, b, c; the server accepts c, b", got)
	got, _ = chosen([]string{"c"}, "accept", "c,b")
	r.see("asked for c; the server accepts c, b", got)
	got, _ = chosen(nil, "accept", "c,b")
	r.see("asked for none; the server accepts c, b", got)
	got, _ = chosen([]string{"a"}, "accept", "c,b")
	r.see("asked for a; the server accepts c, b", got)
	got, _ = chosen([]string{"a", "b"}, "choose", "b")
	r.see("asked for a, b; the server chooses b by the request", got)
	got, conn := chosen([]string{subprotocolOfAll}, "accept", subprotocolOfAll)
	r.see("asked for a subprotocol with every character of a token", got)
	if conn == nil {
		r.t.Fatal("no connection")
	}
	r.see("the connection", r.echoes(conn))
}
