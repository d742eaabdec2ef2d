//go:build !js

package attacks

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

func idle(_ context.Context, conn *server.Conn) error {
	<-conn.Done()
	return nil
}

// TestExtensionsNegotiated: names and values that have crashed or stopped others are declined by a
// server and refused by a client, and long ones take no time that grows with their square: 50 KB
// would take hours.
func TestExtensionsNegotiated(t *testing.T) {
	long := 50_000
	values := map[string]string{
		"a window over the range":    "permessage-deflate; server_max_window_bits=16",
		"a window of 0":              "permessage-deflate; server_max_window_bits=0",
		"a negative window":          "permessage-deflate; server_max_window_bits=-1",
		"a window over 2^64":         "permessage-deflate; client_max_window_bits=18446744073709551617",
		"a window that is no number": "permessage-deflate; client_max_window_bits=NaN",
		"constructor":                "constructor",
		"__proto__":                  "permessage-deflate; __proto__",
		"toString as a parameter":    "permessage-deflate; toString=1; hasOwnProperty",
		"a long name":                strings.Repeat("a", long),
		"a long quoted string":       `permessage-deflate; a="` + strings.Repeat(`\a`, long/2) + `"`,
		"a quoted string, not ended": `permessage-deflate; a="` + strings.Repeat(`\"`, long/2),
		"many spaces":                "permessage-deflate;" + strings.Repeat(" ", long) + "x",
		"many parameters":            "permessage-deflate" + strings.Repeat("; a=b", long/5),
		"many elements":              strings.Repeat("a, ", long/3) + "b",
		"many empty elements":        strings.Repeat(",", long) + "b",
	}
	s := endpoint(t, idle, &server.Options{Compression: &ws.Compression{}})
	for name, value := range values {
		t.Run("server, "+name, func(t *testing.T) {
			response, raw, _ := ask(t, s, handshake("Sec-WebSocket-Extensions: "+value))
			defer raw.Close()
			if response.StatusCode != 101 && response.StatusCode != 400 || response.Header.Get("Sec-WebSocket-Extensions") != "" {
				t.Errorf("status %d, %v", response.StatusCode, response.Header)
			}
		})
		t.Run("client, "+name, func(t *testing.T) {
			_, _, _, err := dialAnswer(t, &isosocket.DialOptions{Compression: &ws.Compression{}}, func(accept string) string {
				return switching(accept, "Sec-WebSocket-Extensions: "+value)
			})
			if !errors.Is(err, errors.ErrBadHandshake) {
				t.Errorf("Dial = %v, want ErrBadHandshake", err)
			}
			if len(err.Error()) > 4*long {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// TestLongHeaders: subprotocols without end, and thousands of fields, are answered, in time and
// memory that grow with their size alone.
func TestLongHeaders(t *testing.T) {
	s := endpoint(t, idle, &server.Options{Subprotocols: []string{"chat"}})
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprintf("X-%d: y", i)
	}
	for name, request := range map[string]string{
		"a subprotocol of 500 KB":       handshake("Sec-WebSocket-Protocol: " + strings.Repeat("a", 500_000)),
		"100,000 subprotocols":          handshake("Sec-WebSocket-Protocol: " + strings.Repeat("a, ", 100_000) + "b"),
		"spaces between subprotocols":   handshake("Sec-WebSocket-Protocol: a" + strings.Repeat(" ", 500_000) + "b"),
		"10,000 fields":                 handshake(many...),
		"10,000 lines of subprotocols":  handshake(strings.Split(strings.Repeat("Sec-WebSocket-Protocol: a\n", 9_999)+"Sec-WebSocket-Protocol: b", "\n")...),
		"a header over the limit":       handshake("X: " + strings.Repeat("x", 2<<20)),
		"an origin of 500 KB":           handshake("Origin: http://" + strings.Repeat("a.", 250_000) + "example"),
		"a key of 500 KB":               strings.Replace(handshake(), "dGhlIHNhbXBsZSBub25jZQ==", strings.Repeat("A", 500_000), 1),
		"100,000 tokens of Connection:": strings.Replace(handshake(), "Connection: Upgrade", "Connection: "+strings.Repeat("a,", 100_000)+"Upgrade", 1),
	} {
		t.Run(name, func(t *testing.T) {
			allocates(t, 64*mebibyte, func() {
				response, raw, _ := ask(t, s, request)
				raw.Close()
				if response.StatusCode >= 500 {
					t.Errorf("status %d", response.StatusCode)
				}
			})
		})
	}
	if response, _, _ := ask(t, s, handshake("Sec-WebSocket-Protocol: chat")); response.StatusCode != 101 {
		t.Errorf("afterwards: status %d", response.StatusCode)
	}
}

// TestAnswerOtherThan101: an answer with all fields of a handshake and another status is no
// connection.
func TestAnswerOtherThan101(t *testing.T) {
	for _, status := range []int{200, 201, 204, 301, 400, 426, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			conn, _, _, err := dialAnswer(t, nil, func(accept string) string {
				return strings.Replace(switching(accept, "Content-Length: 0"), "101 Switching Protocols", fmt.Sprint(status, " ", http.StatusText(status)), 1) + "\x81\x02hi"
			})
			failed, ok := errors.AsType[*errors.ConnectionError](err)
			if conn != nil || !ok || failed.StatusCode != status {
				t.Errorf("Dial = %v, %v, want a ConnectionError with status %d", conn, err, status)
			}
		})
	}
}

// TestPanicsOfHooks: a panic of a program's function or hook ends its own connection only, and leaves
// no goroutine.
func TestPanicsOfHooks(t *testing.T) {
	bad := func(r *http.Request) bool { return r.URL.Query().Has("boom") }
	for name, o := range map[string]*server.Options{
		"Authorize": {Authorize: func(r *http.Request) (any, error) {
			if bad(r) {
				panic("boom")
			}
			return nil, nil
		}},
		"ChooseSubprotocol": {ChooseSubprotocol: func(r *http.Request, _ []string) string {
			if bad(r) {
				panic("boom")
			}
			return ""
		}},
		"the function": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := endpoint(t, func(ctx context.Context, conn *server.Conn) error {
				if conn.URL().Query().Has("boom") {
					panic("boom")
				}
				return idle(ctx, conn)
			}, o)
			good, err := isosocket.Dial(within(t), s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			before := runtime.NumGoroutine()
			for range 20 {
				conn, err := isosocket.Dial(within(t), s.URL+"/?boom", &isosocket.DialOptions{Subprotocols: []string{"a"}[:boolInt(name == "ChooseSubprotocol")]})
				if err == nil {
					conn.Receive(within(t))
				}
			}
			if err := good.Send(within(t), ws.Text("still here")); err != nil {
				t.Error(err)
			}
			if err := good.Flush(within(t)); err != nil {
				t.Errorf("another connection: %v", err)
			}
			if now := runtime.NumGoroutine(); now > before+20 {
				t.Errorf("%d goroutines became %d", before, now)
			}
			good.Close(errors.NormalClosure, "")
		})
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
