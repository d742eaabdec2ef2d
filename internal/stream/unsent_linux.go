package stream

import (
	"io"
	"net"
	"sync"
	"syscall"
	"unsafe"
)

// siocOutQNSD is Linux's SIOCOUTQNSD on every architecture. It returns the number of bytes of
// a TCP connection that the system has taken and not sent even once.
const siocOutQNSD = 0x894b

// unsentQuery is a query of the unsent bytes. The callback is a field, so a call does not
// allocate.
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

// unsent returns how many bytes of t the system holds and has not sent, because
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

// tcpBelow returns rwc if it is a TCP connection, or the TCP connection below it if it is TLS.
// The result may only be queried, not changed.
func tcpBelow(rwc io.ReadWriteCloser) (conn *net.TCPConn, ok bool) {
	if secure, isSecure := rwc.(interface{ NetConn() net.Conn }); isSecure {
		conn, ok = secure.NetConn().(*net.TCPConn)
		return conn, ok
	}
	conn, ok = rwc.(*net.TCPConn)
	return conn, ok
}
