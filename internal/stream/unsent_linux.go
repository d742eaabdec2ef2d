package stream

import (
	"io"
	"net"
	"sync"
	"syscall"
	"unsafe"
)

// siocOutQNSD is SIOCOUTQNSD of Linux, on every architecture: how many bytes the
// system has taken for a TCP connection and not sent even once.
const siocOutQNSD = 0x894b

// unsentQuery asks the system. The callback is a field, so that a call allocates
// nothing.
type unsentQuery struct {
	onDescriptor func(fd uintptr) // ask
	n            int32
}

var unsentQueries = sync.Pool{New: func() any {
	q := new(unsentQuery)
	q.onDescriptor = q.ask
	return q
}}

func (q *unsentQuery) ask(fd uintptr) {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, siocOutQNSD, uintptr(unsafe.Pointer(&q.n))); errno != 0 {
		q.n = 0
	}
}

// unsent returns how many bytes of t's the system holds that it has not sent, because
// the peer or the network takes no more. It is 0 if t's stream is not TCP, or TLS over
// TCP.
func unsent(t *Transport) int {
	raw := t.socket.raw
	if raw == nil {
		conn, ok := tcpBelow(t.rwc)
		if !ok {
			return 0
		}
		var err error
		if raw, err = conn.SyscallConn(); err != nil {
			return 0
		}
	}
	q := unsentQueries.Get().(*unsentQuery)
	q.n = 0
	_ = raw.Control(q.onDescriptor) // after the end there is nothing to send
	n := int(q.n)
	unsentQueries.Put(q)
	return n
}

// tcpBelow returns the TCP connection that rwc is, or that is below it if it is TLS.
// It is for questions only, which change nothing.
func tcpBelow(rwc io.ReadWriteCloser) (conn *net.TCPConn, ok bool) {
	if secure, isSecure := rwc.(interface{ NetConn() net.Conn }); isSecure {
		conn, ok = secure.NetConn().(*net.TCPConn)
		return conn, ok
	}
	conn, ok = rwc.(*net.TCPConn)
	return conn, ok
}
