package stream

import (
	"net"
	"testing"
	"testing/synctest"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// TestTrySendNeverWaits: a peer that does not read does not delay TrySend, and a
// refused message has no effect.
func TestTrySendNeverWaits(t *testing.T) {
	for name, send := range map[string]func(*ws.Conn, ws.Message) error{
		"TrySend":         func(c *ws.Conn, m ws.Message) error { return c.TrySend(m) },
		"TrySendPrepared": func(c *ws.Conn, m ws.Message) error { return c.TrySendPrepared(ws.Prepare(m)) },
	} {
		for _, role := range []rfc6455.Role{rfc6455.Client, rfc6455.Server} {
			t.Run(name+" "+map[rfc6455.Role]string{rfc6455.Client: "client", rfc6455.Server: "server"}[role], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, s := net.Pipe()
					config := ws.Config{SendBuffer: 1000}
					conn := ws.NewConn(New(c, Options{Role: role, Config: config, PingInterval: -1, Flushers: new(Flushers)}), &config)
					sent := 0
					for send(conn, ws.Binary(make([]byte, 100))) == nil {
						if sent++; sent > 20 {
							t.Fatal("TrySend does not stop at the high-water mark")
						}
						synctest.Wait()
					}
					before := conn.Buffered()
					if err := send(conn, ws.Text("x")); !errors.Is(err, errors.ErrWouldBlock) {
						t.Errorf("err = %v, want ErrWouldBlock", err)
					}
					if sent < 5 || conn.Buffered() != before || conn.Err() != nil {
						t.Errorf("%d messages sent, %d bytes queued, then %d; %v", sent, before, conn.Buffered(), conn.Err())
					}
					peer := ws.NewConn(New(s, Options{Role: 1 - role}), nil)
					for range sent {
						if m, err := peer.Receive(t.Context()); err != nil || len(m.Data) != 100 {
							t.Fatalf("Receive = %d bytes, %v", len(m.Data), err)
						}
					}
					if err := send(conn, ws.Text("room again")); err != nil {
						t.Errorf("TrySend with space: %v", err)
					}
					if m, err := peer.Receive(t.Context()); err != nil || m.String() != "room again" {
						t.Errorf("Receive = %q, %v", m, err)
					}
					go peer.Receive(t.Context())
					if err := conn.Close(errors.NormalClosure, ""); err != nil {
						t.Error(err)
					}
					peer.Close(errors.NormalClosure, "")
				})
			})
		}
	}
}
