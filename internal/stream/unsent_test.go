package stream

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// If a peer does not read, Buffered grows at once, and TrySend refuses at the high-water
// mark. Only the bytes in the peer's receive buffer do not count.
func TestSystemsQueueCounts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux reports how much it could not send")
	}
	const (
		mark    = 256 << 10
		size    = 1000
		atPeer  = 128 << 10 // twice the size passed to SetReadBuffer, which Linux doubles
		allowed = mark + atPeer + 64<<10
	)
	for _, kind := range []string{"socket", "TLS"} {
		for _, role := range []rfc6455.Role{rfc6455.Server, rfc6455.Client} {
			c, s := streams[kind](t)
			below, ok := s.(*net.TCPConn)
			if !ok {
				below = s.(*tls.Conn).NetConn().(*net.TCPConn)
			}
			if err := below.SetReadBuffer(32 << 10); err != nil {
				t.Fatal(err)
			}
			conn := connect(t, role, c, Options{Config: ws.Config{SendBuffer: mark, CloseTimeout: time.Millisecond}, PingInterval: -1})
			sent, shown := 0, 0
			for refused := 0; refused < 20; {
				err := conn.TrySend(ws.Binary(make([]byte, size)))
				switch {
				case err == nil:
					sent += size
				case errors.Is(err, errors.ErrWouldBlock):
					refused++
					time.Sleep(time.Millisecond)
				default:
					t.Fatal(err)
				}
				if sent > 4*allowed {
					break
				}
				if shown == 0 && conn.Buffered() > 32<<10 {
					shown = sent
				}
			}
			if sent < mark || sent > allowed {
				t.Errorf("%s, role %d: %d bytes accepted, want %d to %d", kind, role, sent, mark, allowed)
			}
			if shown == 0 || shown > atPeer+64<<10 {
				t.Errorf("%s, role %d: Buffered grew after %d bytes that the peer did not read", kind, role, shown)
			}
			if missing := sent - conn.Buffered(); missing > atPeer {
				t.Errorf("%s, role %d: Buffered does not show %d of %d bytes", kind, role, missing, sent)
			}
			go io.Copy(io.Discard, s)
			if err := conn.Flush(within(t)); err != nil {
				t.Error(err)
			}
			for deadline := time.Now().Add(slack); conn.Buffered() > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("Buffered = %d after the peer has read all", conn.Buffered())
				}
			}
			if err := conn.TrySend(ws.Text("room again")); err != nil {
				t.Error(err)
			}
			s.Close()
		}
	}
}

// Buffered does not allocate.
func TestBufferedAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools drop values")
	}
	c, s := tcpPair(t)
	defer s.Close()
	conn := connect(t, rfc6455.Client, c, Options{})
	if n := testing.AllocsPerRun(1000, func() { conn.Buffered() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
