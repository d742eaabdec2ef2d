//go:build !js

package ws_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// A program for native targets only can measure the round-trip time to the peer.
func ExampleNative_Ping() {
	conn, peer := ws.Pipe(nil, nil) // Dial and a server's function return such Conns
	defer peer.Close(errors.NormalClosure, "")
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	took, err := conn.Native().Ping(ctx)
	fmt.Println(took < time.Second, err)

	conn.Close(errors.NormalClosure, "")
	_, err = conn.Native().Ping(ctx)
	fmt.Println(errors.Is(err, errors.NormalClosure))
	// Output:
	// true <nil>
	// true
}

// Transports without a network, pings or a handshake.
func TestNativeOfOtherTransports(t *testing.T) {
	other := ws.NewConn(&fakeTransport{}, &ws.Config{Supervised: true})
	a, b := ws.Pipe(nil, nil)
	defer b.Close(errors.NormalClosure, "")
	for name, conn := range map[string]*ws.Conn{"other": other, "pipe": a} {
		n := conn.Native()
		if local, remote := n.LocalAddr(), n.RemoteAddr(); local != net.Addr(nil) || remote != net.Addr(nil) {
			t.Errorf("%s: addresses %v and %v", name, local, remote)
		}
		if n.TLS() != nil || n.Response() != nil {
			t.Errorf("%s: TLS %v, Response %v", name, n.TLS(), n.Response())
		}
	}
	if _, err := other.Native().Ping(t.Context()); !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, errors.ErrWebSocket) {
		t.Errorf("Ping without pings: %v", err)
	}
	if took, err := a.Native().Ping(t.Context()); err != nil || took < 0 {
		t.Errorf("Ping of a Pipe: %v, %v", took, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Native().Ping(ctx); !errors.Is(err, context.Canceled) || a.Err() != nil {
		t.Errorf("Ping with a context that has ended: %v; Err = %v", err, a.Err())
	}
	b.Close(errors.GoingAway, "")
	if _, err := a.Native().Ping(t.Context()); err == nil || err != a.Err() {
		t.Errorf("Ping after the end: %v, want %v", err, a.Err())
	}
}

func TestAgreement(t *testing.T) {
	a, b := ws.Pipe(&ws.Config{Subprotocol: "chat", Extensions: "permessage-deflate"}, nil)
	defer b.Close(errors.NormalClosure, "")
	if a.Subprotocol() != "chat" || a.Extensions() != "permessage-deflate" {
		t.Errorf("%q, %q", a.Subprotocol(), a.Extensions())
	}
	if b.Subprotocol() != "" || b.Extensions() != "" {
		t.Errorf("%q, %q of a side that agreed on nothing", b.Subprotocol(), b.Extensions())
	}
}

func TestPingOfAPipeThatEnded(t *testing.T) {
	a, b := ws.Pipe(nil, nil)
	if _, err := a.Native().Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
	b.Close(errors.NormalClosure, "")
	if _, err := a.Native().Ping(t.Context()); !errors.Is(err, errors.NormalClosure) {
		t.Errorf("Ping after the end = %v", err)
	}
}
