package wstest_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

// TestConformance runs every case with this target's Dial. WSTEST_SERVER holds the addresses of
// the test server as JSON; a native run without it starts a server. WSTEST_TARGET names the
// target in the results: an engine and, after a dash, a place in it.
func TestConformance(t *testing.T) {
	target := dialTarget(serverAddresses(t))
	if s := os.Getenv("WSTEST_TARGET"); s != "" {
		target.Name = s
		if class == wstest.Browser {
			target.Engine, _, _ = strings.Cut(s, "-")
		}
	}
	if s := os.Getenv("WSTEST_SKIP"); s != "" {
		if err := json.Unmarshal([]byte(s), &target.Skip); err != nil {
			t.Fatalf("WSTEST_SKIP: %v", err)
		}
	}
	wstest.Run(t, target)
}

// dialTarget is this target's Dial against the test server at addresses.
func dialTarget(addresses wstest.Addresses) wstest.Target {
	return wstest.Target{
		Name:   name,
		Class:  class,
		Server: addresses,
		Dial: func(ctx context.Context, url string, o *wstest.Options) (*ws.Conn, error) {
			return isosocket.Dial(ctx, url, &isosocket.DialOptions{
				Subprotocols:     o.Subprotocols,
				Header:           o.Header,
				MaxMessageSize:   o.MaxMessageSize,
				MaxStreamSize:    o.MaxStreamSize,
				FragmentSize:     o.FragmentSize,
				SendBuffer:       o.SendBuffer,
				ReceiveBuffer:    o.ReceiveBuffer,
				HandshakeTimeout: o.HandshakeTimeout,
				CloseTimeout:     o.CloseTimeout,
				PingInterval:     o.PingInterval,
				PingTimeout:      o.PingTimeout,
				Heartbeat:        o.Heartbeat,
				Compression:      o.Compression,
				Native:           trust(addresses.Certificate),
			})
		},
		Check: checkLeft,
	}
}

// TestPipe runs the cases that need no network over the in-memory pipe.
func TestPipe(t *testing.T) {
	target := wstest.PipeTarget(ws.Pipe)
	target.Check = func(t testing.TB) { leak.Check(t) }
	wstest.Run(t, target)
}
