//go:build unix && !(linux && !386 && !s390x && !race)

package stream

import "syscall"

func recv(fd int, p []byte) (int, error) { return syscall.Read(fd, p) }

// send sends second after first, which may be empty, or part of both.
func send(fd int, first, second []byte) (int, error) {
	if len(first) == 0 {
		first = second
	}
	return syscall.Write(fd, first)
}
