//go:build !js

package client_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
)

// TestDialRequest: the request has what RFC 6455, section 4.1, lists, once each, and a new nonce for
// each connection.
func TestDialRequest(t *testing.T) {
	t.Parallel()
	target, requests := wireServer(t)
	keys := map[string]bool{}
	const dials = 50
	for range dials {
		conn, err := isosocket.Dial(bounded(t), target+"/chat?room=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		conn.Close(errors.NormalClosure, "")
		raw := <-requests
		line, fields, _ := strings.Cut(raw, "\r\n")
		if line != "GET /chat?room=1 HTTP/1.1" {
			t.Fatalf("the request line is %q", line)
		}
		fields = "\r\n" + fields
		for _, want := range []string{
			"Host: " + strings.TrimPrefix(target, "ws://"), "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
		} {
			name, _, _ := strings.Cut(want, " ")
			if !strings.Contains(fields, "\r\n"+want+"\r\n") || strings.Count(fields, "\r\n"+name) != 1 {
				t.Errorf("the request does not have %q once:\n%s", want, raw)
			}
		}
		for _, name := range []string{"Origin:", "Sec-WebSocket-Protocol:", "Sec-WebSocket-Extensions:", "Content-Length:", "Transfer-Encoding:"} {
			if strings.Contains(fields, "\r\n"+name) {
				t.Errorf("the request has %s, for which nothing asked:\n%s", name, raw)
			}
		}
		_, key, _ := strings.Cut(fields, "\r\nSec-WebSocket-Key: ")
		key, rest, _ := strings.Cut(key, "\r\n")
		if nonce, err := base64.StdEncoding.DecodeString(key); err != nil || len(nonce) != 16 || strings.Contains(rest, "Sec-WebSocket-Key") {
			t.Errorf("the nonce is %q, %v", key, err)
		}
		keys[key] = true
	}
	if len(keys) != dials {
		t.Errorf("%d connections have %d nonces", dials, len(keys))
	}
}

// TestDialSendsNothingBeforeTheAnswer: RFC 6455, section 4.1.
func TestDialSendsNothingBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		early := make(chan int, 1)
		go func() {
			reader := bufio.NewReader(theirs)
			request, err := http.ReadRequest(reader)
			if err != nil {
				t.Error(err)
				return
			}
			theirs.SetReadDeadline(time.Now().Add(5 * time.Second))
			n, _ := reader.Read(make([]byte, 100))
			theirs.SetReadDeadline(time.Time{})
			early <- n
			io.WriteString(theirs, switching(acceptOf(request)))
			io.Copy(io.Discard, reader)
		}()
		conn, err := isosocket.Dial(t.Context(), "ws://slow.example", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return ours, nil },
		}})
		if err != nil {
			t.Fatal(err)
		}
		if n := <-early; n > 0 {
			t.Errorf("%d bytes followed the request before the answer", n)
		}
		conn.CloseNow(errors.NormalClosure, "")
		<-conn.Done()
	})
}

// TestDialChecksTheHostName: the client names the server in the TLS handshake, and a certificate for
// another host fails, also one that is trusted.
func TestDialChecksTheHostName(t *testing.T) {
	t.Parallel()
	s, config := startTLS(t, echoServer)
	asked := make(chan string, 10)
	s.TLS.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		asked <- hello.ServerName
		return nil, nil
	}
	n := &isosocket.NativeOptions{TLSConfig: config, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}}
	// httptest's certificate is one for example.com.
	conn, err := isosocket.Dial(bounded(t), "wss://example.com/", &isosocket.DialOptions{Native: n})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(errors.NormalClosure, "")
	if name := <-asked; name != "example.com" {
		t.Errorf("the server was asked for %q", name)
	}
	_, err = isosocket.Dial(bounded(t), "wss://example.org/", &isosocket.DialOptions{Native: n})
	assertRefused(t, err, 0, "certificate")
	if _, ok := errors.AsType[x509.HostnameError](err); !ok {
		t.Errorf("Dial = %v, want an x509.HostnameError", err)
	}
}
