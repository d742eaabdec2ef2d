//go:build !js

package isosocket

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/handshake"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/internal/stream"
	"github.com/isosocket/isosocket/ws"
)

// dial performs the handshake over net/http and puts the native engine on what
// is left of it: a byte stream.
func dial(ctx context.Context, url string, o *DialOptions) (*ws.Conn, error) {
	header, host, err := handshake.RequestHeader(o.Header)
	if err != nil {
		return nil, err
	}
	deflate, policy, err := handshake.Deflate(o.Compression)
	if err != nil {
		return nil, err
	}
	var below attempt
	client, err := o.Native.client(ctx, &below)
	if err != nil {
		return nil, err
	}
	response, err := handshake.Dial(ctx, handshake.Request{
		URL:          url,
		Header:       header,
		Host:         host,
		Subprotocols: o.Subprotocols,
		Deflate:      deflate,
		Client:       client,
	})
	if err != nil {
		below.abandon()
		return nil, err
	}
	config := o.config(response.Subprotocol)
	return ws.NewConn(stream.New(response.Stream, stream.Options{
		Role:          rfc6455.Client,
		Config:        *config,
		Deflate:       response.Deflate,
		DeflatePolicy: policy,
		PingInterval:  o.PingInterval,
		PingTimeout:   o.PingTimeout,
		Prefix:        response.Prefix,
	}), config), nil
}

// client returns what carries the handshake request. Unless the user brought a
// transport, it is for this Dial only: one shared by all would be global
// state, with connections in it that outlive a refused Dial.
func (n *NativeOptions) client(ctx context.Context, below *attempt) (*http.Client, error) {
	if n == nil {
		n = &NativeOptions{}
	}
	var client http.Client
	if n.HTTPClient != nil {
		client = *n.HTTPClient
	}
	if client.Transport != nil {
		for _, field := range []struct {
			name string
			set  bool
		}{
			{"TLSConfig", n.TLSConfig != nil},
			{"Proxy", n.Proxy != nil},
			{"DialContext", n.DialContext != nil},
		} {
			if field.set {
				return nil, errors.New("websocket: NativeOptions." + field.name +
					" and the Transport of NativeOptions.HTTPClient exclude each other: set it in the Transport")
			}
		}
		return &client, nil
	}
	dial, proxy := n.DialContext, n.Proxy
	if dial == nil {
		dial = new(net.Dialer).DialContext
		if proxy == nil {
			proxy = http.ProxyFromEnvironment
		}
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // RFC 6455 upgrades HTTP/1.1
	client.Transport = &http.Transport{
		Proxy: proxy,
		// net/http detaches a dial from the request that wants it, so that a
		// later one could use the connection. Here there is no later one.
		DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			return below.dial(ctx, dial, network, addr)
		},
		TLSClientConfig:        n.TLSConfig,
		Protocols:              protocols,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxResponseHeader,
		ReadBufferSize:         handshakeBuffer,
		WriteBufferSize:        handshakeBuffer,
	}
	return &client, nil
}

const (
	// maxResponseHeader is far above what a handshake needs.
	maxResponseHeader = 64 << 10
	// handshakeBuffer holds a usual request or response in one piece.
	handshakeBuffer = 1 << 10
)

// attempt keeps hold of the connection that a Dial opens, so that it can be
// closed wherever it has got to: in a TLS handshake or with a proxy, say.
type attempt struct {
	mu        sync.Mutex
	conns     []net.Conn
	abandoned bool
}

func (a *attempt) dial(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), network, addr string) (net.Conn, error) {
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.abandoned {
		conn.Close()
		return nil, net.ErrClosed
	}
	a.conns = append(a.conns, conn)
	return conn, nil
}

// abandon closes what was opened, and what will be.
func (a *attempt) abandon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.abandoned = true
	for _, conn := range a.conns {
		conn.Close()
	}
}
