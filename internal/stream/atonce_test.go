package stream

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
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
