//go:build !js

package handshake

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// ProxyAddr returns host and port of a proxy with the scheme http or https.
func ProxyAddr(proxy *url.URL) string {
	port := proxy.Port()
	switch {
	case port != "":
	case proxy.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}

// Tunnel asks a proxy, to which conn is a new connection, for a tunnel to addr
// (RFC 6455, section 4.1; RFC 9110, section 9.3.6), and returns the
// connection through it: conn itself, or TLS over it if proxy's scheme is
// https. It does not close conn, and returns when the caller closes it.
func Tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, addr string) (net.Conn, error) {
	if proxy.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: proxy.Hostname()})
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		conn = secure
	}
	request := &http.Request{
		Method: http.MethodConnect,
		URL:    &url.URL{Opaque: addr},
		Host:   addr,
		Header: make(http.Header),
	}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	reader := bufio.NewReaderSize(&limitedReader{conn, maxProxyAnswer}, 512)
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, fmt.Errorf("no answer to CONNECT: %w", err)
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the answer to CONNECT is %s", response.Status)
	}
	if reader.Buffered() > 0 {
		return nil, errors.New("the proxy sent data right after its answer to CONNECT")
	}
	return conn, nil
}

// maxProxyAnswer bounds the header of the answer to CONNECT.
const maxProxyAnswer = 64 << 10

// limitedReader returns an error that names the limit, where io.LimitedReader returns
// io.EOF.
type limitedReader struct {
	conn net.Conn
	left int
}

func (r *limitedReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("its header exceeds %d bytes", maxProxyAnswer)
	}
	n, err := r.conn.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
