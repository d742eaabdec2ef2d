package stream

import (
	"io"
	"syscall"
	"unsafe"
)

// acknowledged asks the system how much the peer of a TCP connection has acknowledged. The
// connection may be below TLS: a query changes nothing there.
func acknowledged(rwc io.ReadWriteCloser) (a acknowledgement, ok bool) {
	conn, isTCP := tcpBelow(rwc)
	if !isTCP {
		return a, false
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return a, false
	}
	var info tcpInfo
	if err := raw.Control(func(fd uintptr) { ok = info.get(fd) }); err != nil || !ok {
		return a, false
	}
	unsent := info.notSent > 0
	return acknowledgement{
		bytes:  uint32(info.bytesAcked),
		unsent: unsent,
		// The system retransmits if the network loses data or is down.
		closed: unsent && info.retransmits == 0,
	}, true
}

// tcpInfo is the kernel's struct tcp_info, up to the last field used here. Kernels older than
// 4.6 do not have that field.
type tcpInfo struct {
	_           [2]byte
	retransmits byte // of the first segment in the queue
	_           [117]byte
	bytesAcked  uint64
	_           uint64 // received
	_           [2]uint32
	notSent     uint32
}

func (i *tcpInfo) get(fd uintptr) bool {
	size := uint32(unsafe.Sizeof(*i))
	_, _, errno := syscall.Syscall6(sysGetsockopt, fd, syscall.IPPROTO_TCP, syscall.TCP_INFO,
		uintptr(unsafe.Pointer(i)), uintptr(unsafe.Pointer(&size)), 0)
	return errno == 0 && uintptr(size) >= unsafe.Offsetof(i.notSent)+unsafe.Sizeof(i.notSent)
}
