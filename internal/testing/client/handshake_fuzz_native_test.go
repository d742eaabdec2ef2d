//go:build !js

package client_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// answering is a network in memory. Its server reads a request, sends what answer returns for it, and
// closes the connection.
func answering(answer func(raw []byte, r *http.Request) string) *isosocket.NativeOptions {
	return &isosocket.NativeOptions{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			var raw []byte
			for in := bufio.NewReader(theirs); !bytes.HasSuffix(raw, []byte("\r\n\r\n")); {
				line, err := in.ReadBytes('\n')
				if raw = append(raw, line...); err != nil {
					break
				}
			}
			// A percent sign of a target may stand alone, as in a browser; net/http refuses it.
			line, fields, _ := bytes.Cut(raw, []byte("\r\n"))
			plain := append(bytes.ReplaceAll(line, []byte("%"), []byte("%25")), "\r\n"...)
			request, _ := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(plain, fields...))))
			io.WriteString(theirs, answer(raw, request))
		}()
		return ours, nil
	}}
}

// mayAccept judges a server's answer in the plainest way: by lines, and by what RFC 6455, section 4.1,
// demands of them. It lets pass what net/http alone has to judge, such as a folded line.
func mayAccept(answer, accept string, subprotocols []string) bool {
	var head string
	for {
		var ok bool
		if head, answer, ok = strings.Cut(strings.ReplaceAll(answer, "\r\n", "\n"), "\n\n"); !ok {
			return false
		}
		_, status, _ := strings.Cut(head, " ")
		status = strings.TrimLeft(status, " ")
		if strings.HasPrefix(status, "101") {
			break
		}
		if !strings.HasPrefix(status, "1") { // others of 1xx announce an answer that follows
			return false
		}
	}
	fields := map[string][]string{}
	for line := range strings.SplitSeq(head, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			name = strings.ToLower(name)
			fields[name] = append(fields[name], strings.Trim(value, " \t\r"))
		}
	}
	has := func(name, token string) bool {
		return slices.ContainsFunc(strings.Split(strings.Join(fields[name], ","), ","), func(s string) bool {
			return strings.EqualFold(strings.Trim(s, " \t"), token)
		})
	}
	chosen, extensions := fields["sec-websocket-protocol"], strings.Join(fields["sec-websocket-extensions"], ",")
	return has("upgrade", "websocket") && has("connection", "upgrade") &&
		slices.Contains(fields["sec-websocket-accept"], accept) &&
		(len(subprotocols) == 0 && len(chosen) == 0 || len(chosen) == 1 && slices.Contains(subprotocols, chosen[0])) &&
		(strings.Trim(extensions, ", \t") == "" || strings.Contains(strings.ToLower(extensions), "permessage-deflate"))
}

// FuzzDialAnswer: a server may answer the handshake with any bytes. Dial gives a connection only if they
// are an answer by the plainest reading, and otherwise a ConnectionError without control characters.
func FuzzDialAnswer(f *testing.F) {
	const head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n"
	for _, s := range []string{
		head + "\r\n", head + "Sec-WebSocket-Protocol: chat\r\n\r\n", head + "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n\r\n\x81\x02hi",
		head + "Sec-WebSocket-Extensions: x\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + head + "\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!",
		"HTTP/1.1 302 Found\r\nLocation: http://user:secret@x/\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", "", "\x16\x03\x01",
		strings.ReplaceAll(head, "\r\n", "\n") + "\n", "HTTP/1.0 101 x\r\nconnection: close, upgrade\r\nupgrade: WEBSOCKET\r\nsec-websocket-accept: {accept}\r\n\r\n",
		"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n\x1b[31mred\xff",
	} {
		f.Add(s, false, false)
		f.Add(s, true, true)
	}
	f.Fuzz(func(t *testing.T, answer string, subprotocol, compression bool) {
		options := &isosocket.DialOptions{CloseTimeout: time.Millisecond}
		if subprotocol {
			options.Subprotocols = []string{"chat", "mqtt"}
		}
		if compression {
			options.Compression = &ws.Compression{}
		}
		accept, sent := "", ""
		options.Native = answering(func(_ []byte, r *http.Request) string {
			accept = acceptOf(r)
			sent = strings.ReplaceAll(answer, "{accept}", accept)
			return sent
		})
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		conn, err := isosocket.Dial(ctx, "ws://user:secret@localhost/?token=secret", options)
		if ctx.Err() != nil {
			t.Fatalf("Dial waits after %q", sent)
		}
		if err == nil {
			defer conn.CloseNow(errors.NormalClosure, "")
			if !mayAccept(sent, accept, options.Subprotocols) {
				t.Errorf("Dial accepts %q", sent)
			}
			if got := conn.Subprotocol(); (got != "") != subprotocol {
				t.Errorf("Subprotocol = %q after %q", got, sent)
			}
			if _, err := conn.Receive(ctx); errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Receive waits after %q", sent)
			}
			return
		}
		failed, ok := errors.AsType[*errors.ConnectionError](err)
		if !ok || failed.StatusCode == http.StatusSwitchingProtocols || failed.StatusCode != 0 && !strings.Contains(sent, "HTTP/") {
			t.Errorf("%#v after %q", err, sent)
		}
		if text := err.Error(); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F }) ||
			strings.Contains(text, "secret") && !strings.Contains(strings.ReplaceAll(sent, "user:secret@", ""), "secret") {
			t.Errorf("the error is %q after %q", text, sent)
		}
	})
}

// FuzzDialRequest: the fields, the subprotocol and the target that a program sets are refused before any
// I/O, or the request has them as they are, once, among the fields of the handshake.
func FuzzDialRequest(f *testing.F) {
	for _, s := range [][4]string{
		{"/", "Cookie", "a=1", "chat"}, {"/a b?c#d", "X-Ä", "b", "chat"}, {"/%zz?%", "Authorization", "Bearer x\r\nUpgrade: h2c", "chat"}, {"", "Host", "a:1", "v1.chat"},
		{"//x/../..", "Sec-WebSocket-Key", "x", "a,b"}, {"/\r\n", "a:b", " c ", ""}, {"\\..\\x", "upgrade", "x", "\xff"}, {"?a=\u00e4", "X", "", "chat"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, target, name, value, subprotocol string) {
		var raw []byte
		var request *http.Request
		asked := make(chan struct{})
		options := &isosocket.DialOptions{Subprotocols: []string{subprotocol}, CloseTimeout: time.Millisecond}
		options.Native = answering(func(b []byte, r *http.Request) string {
			defer close(asked)
			if raw, request = b, r; r == nil {
				return ""
			}
			return switching(acceptOf(r), "Sec-WebSocket-Protocol: "+subprotocol)
		})
		options.Header = map[string][]string{name: {value}}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		conn, err := isosocket.Dial(ctx, "ws://localhost"+target, options)
		if err == nil {
			conn.CloseNow(errors.NormalClosure, "")
		}
		select {
		case <-asked:
		default:
			if err == nil || ctx.Err() != nil {
				t.Errorf("Dial = %v without a request", err)
			}
			return
		}
		if request == nil {
			t.Fatalf("the request %q is none", raw)
		}
		if err != nil {
			t.Errorf("Dial = %v after the request %q", err, raw)
		}
		head := string(raw[:bytes.Index(raw, []byte("\r\n\r\n"))])
		for _, field := range []string{"Host", "Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"} {
			if n := strings.Count(strings.ToLower(head), "\r\n"+strings.ToLower(field)+":"); n != 1 {
				t.Errorf("the request has %s %d times: %q", field, n, raw)
			}
		}
		line, _, _ := strings.Cut(head, "\r\n")
		if parts := strings.Split(line, " "); len(parts) != 3 || parts[0] != "GET" || !strings.HasPrefix(parts[1], "/") || parts[2] != "HTTP/1.1" {
			t.Errorf("the request begins with %q", line)
		}
		if got := request.Header.Get("Sec-WebSocket-Protocol"); got != subprotocol {
			t.Errorf("the subprotocol %q is sent as %q", subprotocol, got)
		}
		if strings.EqualFold(name, "Host") {
			if request.Host != value {
				t.Errorf("the host %q is sent as %q", value, request.Host)
			}
		} else if got := request.Header.Values(name); len(got) != 1 || got[0] != strings.Trim(value, " \t") {
			t.Errorf("the field %q is sent as %q, want %q", name, got, value)
		}
	})
}
