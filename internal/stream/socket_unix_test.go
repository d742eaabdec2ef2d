//go:build unix

package stream

import (
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"testing"
)

// paired is TLS that also gives access to the descriptor below.
type paired struct {
	*tls.Conn
	raw syscall.Conn
}

func (c paired) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() }

// Only a stream whose type is exactly a socket type is read and written through its descriptor.
func TestDescriptorOfSocketsOnly(t *testing.T) {
	c, s := tcpPair(t)
	defer s.Close()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	unix, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		stream io.ReadWriteCloser
		want   bool
	}{
		"TCP":                         {c, true},
		"Unix":                        {unix, true},
		"embedded TCP":                {&scrambled{TCPConn: c.(*net.TCPConn)}, false},
		"embedded TCP, by value":      {struct{ *net.TCPConn }{c.(*net.TCPConn)}, false},
		"embedded Unix":               {struct{ *net.UnixConn }{unix.(*net.UnixConn)}, false},
		"net.Conn with a TCP inside":  {struct{ net.Conn }{c}, false},
		"TLS":                         {tls.Client(c, &tls.Config{}), false},
		"TLS paired with the socket":  {paired{tls.Client(c, &tls.Config{}), c.(*net.TCPConn)}, false},
		"a socket without its closer": {bare{c}, false},
	} {
		transport := &Transport{rwc: test.stream}
		transport.socket.init(transport)
		if got := transport.socket.usable(); got != test.want {
			t.Errorf("%s: uses the descriptor: %v, want %v", name, got, test.want)
		}
	}
	c.Close()
	unix.Close()
}
