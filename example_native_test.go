//go:build !js

package isosocket_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
)

// What a server said when it refused, and when to come back.
func ExampleDial_retryAfter() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("token") == "" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	for _, query := range []string{"", "?token=abc"} {
		_, err := isosocket.Dial(ctx, s.URL+"/"+query, nil)
		failed, ok := errors.AsType[*errors.ConnectionError](err)
		if !ok {
			fmt.Println(err)
			return
		}
		fmt.Println(failed.StatusCode, failed.Err, failed.Header["Retry-After"], "again:", isosocket.DefaultRetry(err))
	}
	// Output:
	// 401 Unauthorized: who are you? [] again: false
	// 503 Service Unavailable: too many connections [30] again: true
}

// A server whose certificate comes from an authority of one's own.
func ExampleNativeOptions_tls() {
	s := httptest.NewTLSServer(server.Handler(func(ctx context.Context, conn *server.Conn) error {
		return conn.Close(4000, "welcome")
	}, nil))
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	authorities := x509.NewCertPool()
	authorities.AddCert(s.Certificate())
	conn, err := isosocket.Dial(ctx, s.URL, &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		TLSConfig: &tls.Config{RootCAs: authorities},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = conn.Receive(ctx)
	fmt.Println(errors.Is(err, errors.CloseReason(4000)))

	// Without them the certificate is not trusted.
	_, err = isosocket.Dial(ctx, s.URL, nil)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	fmt.Println(untrusted)
	// Output:
	// true
	// true
}

// Through a proxy, with a user and password of its own.
func ExampleNativeOptions_proxy() {
	proxy := &url.URL{Scheme: "http", Host: "127.0.0.1:1", User: url.UserPassword("ann", "secret")}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := isosocket.Dial(ctx, "wss://chat.example/", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		Proxy: http.ProxyURL(proxy),
	}})
	// Nobody listens there. The error names the proxy, without its password.
	fmt.Println(strings.HasPrefix(err.Error(), `websocket: cannot connect to "wss://chat.example/": proxy http://127.0.0.1:1: dial tcp`))
	// Output: true
}
