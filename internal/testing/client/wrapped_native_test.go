//go:build !js

package client_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// scrambledConn changes and counts all bytes, like a connection that encrypts. It embeds the
// socket for the other methods.
type scrambledConn struct {
	*net.TCPConn
	in, out *atomic.Int64
}

func scramble(p []byte) {
	for i := range p {
		p[i] ^= 0x5a
	}
}

func (c scrambledConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	scramble(p[:n])
	c.in.Add(int64(n))
	return n, err
}

func (c scrambledConn) Write(p []byte) (int, error) {
	p = slices.Clone(p)
	scramble(p)
	n, err := c.TCPConn.Write(p)
	c.out.Add(int64(n))
	return n, err
}

// scrambledListener accepts scrambled connections.
type scrambledListener struct {
	net.Listener
	in, out *atomic.Int64
}

func (l scrambledListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return scrambledConn{conn.(*net.TCPConn), l.in, l.out}, nil
}

// wiretap forwards one connection to target, and records the bytes of both directions.
func wiretap(t *testing.T, target string) (address string, up, down *bytes.Buffer, done func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up, down = new(bytes.Buffer), new(bytes.Buffer)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer l.Close()
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", target)
		if err != nil {
			t.Error(err)
			return
		}
		defer server.Close()
		wg.Go(func() {
			io.Copy(io.MultiWriter(server, up), client)
			server.(*net.TCPConn).CloseWrite()
		})
		io.Copy(io.MultiWriter(client, down), server)
		client.(*net.TCPConn).CloseWrite()
	})
	return l.Addr().String(), up, down, wg.Wait
}

// TestNothingPassesAWrapper checks that all data goes through the methods of a connection that
// encrypts and embeds its socket, and none directly through the file descriptor.
func TestNothingPassesAWrapper(t *testing.T) {
	const secret = "the secret that must not be seen on the wire"
	var clientIn, clientOut, serverIn, serverOut atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	s := &http.Server{Handler: endpoint}
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(scrambledListener{l, &serverIn, &serverOut}) })
	defer serving.Wait()
	defer s.Close()

	address, up, down, done := wiretap(t, l.Addr().String())
	conn, err := isosocket.Dial(bounded(t), "ws://"+address+"/", &isosocket.DialOptions{Native: &isosocket.NativeOptions{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return scrambledConn{conn.(*net.TCPConn), &clientIn, &clientOut}, nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{secret, strings.Repeat(secret, 5000)} {
		if err := conn.Send(bounded(t), ws.Text(text)); err != nil {
			t.Fatal(err)
		}
		if m, err := conn.Receive(bounded(t)); err != nil || m.String() != text {
			t.Fatalf("received %d bytes, %v", len(m.Data), err)
		}
	}
	if err := conn.Close(errors.NormalClosure, secret); err != nil {
		t.Error(err)
	}
	done()
	for way, seen := range map[string]*bytes.Buffer{"client to server": up, "server to client": down} {
		if bytes.Contains(seen.Bytes(), []byte(secret[:10])) {
			t.Errorf("%s: a message was sent unencrypted", way)
		}
	}
	if int(clientOut.Load()) != up.Len() || int(serverIn.Load()) != up.Len() {
		t.Errorf("%d bytes went to the server; its wrapper saw %d, the client's %d", up.Len(), serverIn.Load(), clientOut.Load())
	}
	if int(serverOut.Load()) != down.Len() || int(clientIn.Load()) != down.Len() {
		t.Errorf("%d bytes went to the client; its wrapper saw %d, the server's %d", down.Len(), clientIn.Load(), serverOut.Load())
	}
}
