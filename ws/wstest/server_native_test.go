//go:build !js

package wstest_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/h2client"
	"github.com/isosocket/isosocket/server"
	_ "github.com/isosocket/isosocket/server/http2"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
	"github.com/isosocket/isosocket/ws/wstest/peer"
)

// TestConformanceOverHTTP2 runs the cases that need no raw frames over streams of HTTP/2: once with
// the server's connection as the one under test, and once as its peer.
func TestConformanceOverHTTP2(t *testing.T) {
	for _, side := range []string{"server", "client"} {
		t.Run(side, func(t *testing.T) {
			accepted := startAccepting(t, true)
			target := wstest.PipeTarget(func(near, far *ws.Config) (*ws.Conn, *ws.Conn) {
				if side == "server" {
					client, server := accepted.pair(t, far, near)
					return server, client
				}
				return accepted.pair(t, near, far)
			})
			target.Name = "http2-" + side
			wstest.Run(t, target)
		})
	}
}

// withoutServer are the cases that a connection of a server cannot show, with the reason.
var withoutServer = map[string]string{
	"P25": aboutDial, "P26": aboutDial, "P27": aboutDial, "P28": aboutDial, "P29": aboutDial, "P30": aboutDial, "P31": aboutDial, "D02": aboutDial,
	"P09": aboutLibrary, "P32": aboutLibrary,
	"P35": "it cancels handshakes of Dial",
	"P38": aboutHeartbeat, "P39": aboutHeartbeat, "P40": aboutHeartbeat,
}

const (
	aboutDial      = "it is about the handshake of Dial"
	aboutLibrary   = "it needs a peer of this library, which TestConformanceOverHTTP2 and the native run have"
	aboutHeartbeat = "a Heartbeat is of clients"
)

// TestConformanceOfServer runs the cases with a connection of the server as the one under test, and a
// client that writes its frames by hand as the peer, over TCP and over streams of HTTP/2.
func TestConformanceOfServer(t *testing.T) {
	for name, overHTTP2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		t.Run(name, func(t *testing.T) {
			clients, err := peer.Start(nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(clients.Close)
			accepted := startAccepting(t, overHTTP2)
			var playing sync.WaitGroup
			t.Cleanup(playing.Wait)
			wstest.Run(t, wstest.Target{
				Name:   "server-" + strings.ToLower(name),
				Class:  wstest.Native,
				Server: wstest.Addresses{URL: "peer:", Control: "peer:"},
				Skip:   withoutServer,
				Dial: func(ctx context.Context, address string, o *wstest.Options) (*ws.Conn, error) {
					uri := strings.TrimPrefix(address, "peer:")
					u, err := url.ParseRequestURI(uri)
					if err == nil {
						err = ctx.Err()
					}
					if err != nil {
						return nil, &errors.ConnectionError{URL: address, Err: err}
					}
					conn, raw, err := accepted.raw(ctx, serverOptions(o), u.Query().Get("how") == "killed")
					if err != nil {
						return nil, &errors.ConnectionError{URL: address, Err: err}
					}
					playing.Go(func() {
						if err := clients.Play(raw, uri); err != nil {
							t.Error(err)
						}
					})
					return conn, nil
				},
			})
		})
	}
}

// serverOptions are those of a server that mean the same as o. Servers send pings by default.
func serverOptions(o *wstest.Options) *server.Options {
	so := &server.Options{
		MaxMessageSize: o.MaxMessageSize,
		MaxStreamSize:  o.MaxStreamSize,
		FragmentSize:   o.FragmentSize,
		SendBuffer:     o.SendBuffer,
		ReceiveBuffer:  o.ReceiveBuffer,
		CloseTimeout:   o.CloseTimeout,
		PingInterval:   o.PingInterval,
		PingTimeout:    o.PingTimeout,
		Compression:    o.Compression,
		Detach:         true, // so that a stream ends with its connection, not with its function
	}
	if so.PingInterval == 0 {
		so.PingInterval = -1
	}
	return so
}

// peersWindow is how much a client over HTTP/2 may send that does not read what the server sends. The
// peer of the suite echoes up to 24 MiB in that way. net/http grants no more until the client reads
// (server.TestHTTP2WindowWaitsBehindOutput), while over TCP a server that receives always does.
const peersWindow = 32 << 20

// accepting accepts connections, each with options of its own.
type accepting struct {
	address string
	client  *h2client.Client // nil over TCP
	another func(context.Context) (*h2client.Client, error)

	mu       sync.Mutex
	options  *server.Options // of the next connection
	accepted chan *ws.Conn
}

func startAccepting(t *testing.T, overHTTP2 bool) *accepting {
	t.Helper()
	a, over := &accepting{accepted: make(chan *ws.Conn)}, make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e *server.Endpoint
		e = server.Handler(func(ctx context.Context, conn *server.Conn) error {
			a.accepted <- conn.Conn
			<-conn.Done()
			// The return drops messages that the case has not received yet, and one that a Receive is
			// just about to return.
			for received := false; !received; {
				received = e.Stats().Unreceived == 0
				select {
				case <-over:
					return nil
				case <-time.After(100 * time.Millisecond):
				}
			}
			return nil
		}, a.options)
		e.ServeHTTP(w, r)
	}))
	a.address = s.Listener.Addr().String()
	if overHTTP2 {
		s.EnableHTTP2 = true
		s.Config.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: peersWindow, MaxReceiveBufferPerConnection: 2 * peersWindow}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	if overHTTP2 {
		a.another = func(ctx context.Context) (*h2client.Client, error) {
			return h2client.Dial(ctx, a.address, s.Client().Transport.(*http.Transport).TLSClientConfig)
		}
		var err error
		if a.client, err = a.another(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.client.Close() })
	}
	t.Cleanup(func() { close(over) })
	return a
}

// pair opens a connection over HTTP/2 with this library at both ends.
func (a *accepting) pair(t *testing.T, near, far *ws.Config) (client, accepted *ws.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.options = &server.Options{
		MaxMessageSize: far.MaxMessageSize,
		MaxStreamSize:  far.MaxStreamSize,
		FragmentSize:   far.FragmentSize,
		SendBuffer:     far.SendBuffer,
		ReceiveBuffer:  far.ReceiveBuffer,
		CloseTimeout:   far.CloseTimeout,
		PingInterval:   -1,
	}
	conn, err := a.client.WebSocket(context.Background(), "/", nil, near)
	if err != nil {
		t.Error(err)
		return ws.Pipe(near, far) // so that the case can go on
	}
	return conn, <-a.accepted
}

// raw opens a connection, and returns the server's side and the stream of its client. A client that
// is alone has no other on the same connection of HTTP/2.
func (a *accepting) raw(ctx context.Context, o *server.Options, alone bool) (*ws.Conn, net.Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.options = o
	open := a.handshake
	if a.client != nil {
		open = a.stream
	}
	raw, err := open(ctx, alone)
	if err != nil {
		return nil, nil, err
	}
	return <-a.accepted, raw, nil
}

func (a *accepting) stream(ctx context.Context, alone bool) (net.Conn, error) {
	client := a.client
	if alone {
		var err error
		if client, err = a.another(ctx); err != nil {
			return nil, err
		}
	}
	s, response, err := client.Open(ctx, "/", nil)
	if err == nil && s == nil {
		err = fmt.Errorf("the server answers %d", response.StatusCode)
	}
	return s, err
}

func (a *accepting) handshake(ctx context.Context, _ bool) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", a.address)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", a.address)
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err == nil && response.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("the server answers %s", response.Status)
	}
	if err == nil && in.Buffered() > 0 {
		err = fmt.Errorf("%d bytes came with the answer, before the connection was used", in.Buffered())
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}
