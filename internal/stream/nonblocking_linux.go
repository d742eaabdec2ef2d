//go:build linux && !386 && !s390x && !race

package stream

import (
	"syscall"
	"unsafe"
)

// maxSend bounds what one system call may copy.
const maxSend = 128 << 10

// recv and send ask the kernel without telling the scheduler, as
// calls that never block may: that takes a tenth or more of the processor time
// off a message, because no other thread is woken to take this one's place.
// MSG_DONTWAIT does not block even for a descriptor that other code has
// made blocking. The race detector sees the syscall package's calls alone.

func recv(fd int, p []byte) (int, error) {
	return transfer(syscall.SYS_RECVFROM, fd, p, syscall.MSG_DONTWAIT)
}

// send sends second after first, which may be empty, in one call: a call of
// its own for a header costs 15 % or more of the processor time of a message
// that follows it, up to 64 KiB.
func send(fd int, first, second []byte) (int, error) {
	second = second[:min(len(second), maxSend)]
	if len(first) == 0 {
		return transfer(syscall.SYS_SENDTO, fd, second, sendFlags)
	}
	pieces := [2]syscall.Iovec{{Base: unsafe.SliceData(first)}, {Base: unsafe.SliceData(second)}}
	pieces[0].SetLen(len(first))
	pieces[1].SetLen(len(second))
	msg := syscall.Msghdr{Iov: &pieces[0], Iovlen: 2}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), sendFlags, 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

const sendFlags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL

func transfer(call uintptr, fd int, p []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
