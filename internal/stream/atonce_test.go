package stream

import (
	"bytes"
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

// Only Linux says whether the socket below TLS would block, and only of a socket whose
// TLS does nothing but encrypt.
func TestTLSTakesAtOnce(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not report it")
	}
	takes := func(rwc io.ReadWriteCloser) bool {
		transport := &Transport{rwc: rwc}
		transport.socket.init(transport)
		return !transport.socket.usable() && transport.socket.takesAtOnce()
	}
	c, s := tlsPair(t)
	defer c.Close()
	defer s.Close()
	conn := c.(*tls.Conn)
	for name, other := range map[string]io.ReadWriteCloser{
		"TLS before its handshake": tls.Client(conn.NetConn(), &tls.Config{InsecureSkipVerify: true}),
		"TLS in another type":      struct{ *tls.Conn }{conn},
		"a connection in memory":   bare{conn},
	} {
		if takes(other) {
			t.Errorf("%s: would be written at once", name)
		}
	}
	if !takes(c) {
		t.Error("TLS with an empty queue: would not be written at once")
	}

	if err := conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for err := error(nil); err == nil; {
		_, err = conn.Write(make([]byte, 1<<20))
	}
	if takes(c) {
		t.Error("TLS with a full queue: would be written at once")
	}
	go io.Copy(io.Discard, s.(*tls.Conn).NetConn())
	for end := time.Now().Add(30 * time.Second); !takes(c); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("TLS whose queue is empty again: would not be written at once")
		}
	}
	if err := conn.NetConn().(*net.TCPConn).SetWriteBuffer(1); err != nil {
		t.Fatal(err)
	}
	if takes(c) {
		t.Error("TLS with a small send buffer: would be written at once")
	}
}

// A read from TLS that fills its buffer is followed by one into a larger buffer, whatever
// happens in between.
func TestTLSReadsThatFillTheBuffer(t *testing.T) {
	frames := func(n int) []byte {
		b := bytes.Repeat(frame(0x82, false, make([]byte, 30)), n/32)
		return append(b, frame(0x82, false, make([]byte, n%32+30))...)
	}
	first := frames(tlsInputSize - 32)
	if len(first) != tlsInputSize {
		t.Fatalf("%d bytes", len(first))
	}
	second := frames(16<<10 - 32) // the largest record
	total := tlsInputSize/32 + len(second)/32
	for _, received := range []int{0, 1, tlsInputSize / 32, tlsInputSize/32 + 1, tlsInputSize/32 + inputSize/32, total} {
		c, s := tlsPair(t)
		client := connect(t, rfc6455.Client, c, Options{Config: ws.Config{CloseTimeout: 100 * time.Millisecond}})
		write(t, s, first)
		write(t, s, second)
		for i := range received {
			if m, err := client.Receive(within(t)); err != nil || len(m.Data) != 30 {
				t.Fatalf("message %d: %v, %v", i, m, err)
			}
		}
		if received == total {
			// The buffers are given back: another connection uses them.
			write(t, s, frame(0x82, false, []byte("small")))
			mustReceive(t, client, "small")
		}
		go io.Copy(io.Discard, s)
		client.Close(errors.NormalClosure, "")
		s.Close()
	}
}
