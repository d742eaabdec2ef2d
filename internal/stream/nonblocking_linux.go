//go:build linux && !386 && !s390x && !race

package stream

import (
	"syscall"
	"unsafe"
)

// maxSend bounds what one system call may copy.
const maxSend = 128 << 10

// recv, send and sendMore ask the kernel without telling the scheduler, as
// calls that never block may: that takes a tenth or more of the processor time
// off a message, because no other thread is woken to take this one's place.
// MSG_DONTWAIT keeps the promise even for a descriptor that somebody else has
// made blocking. The race detector sees the syscall package's calls alone.

func recv(fd int, p []byte) (int, error) {
	return transfer(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

func send(fd int, p []byte) (int, error) {
	return transfer(syscall.SYS_SENDTO, fd, p[:min(len(p), maxSend)], syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
}

// sendMore is send of what more will follow at once, so that the kernel need
// not make a packet of it.
func sendMore(fd int, p []byte) (int, error) {
	return transfer(syscall.SYS_SENDTO, fd, p, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL|syscall.MSG_MORE)
}

func transfer(call uintptr, fd int, p []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
