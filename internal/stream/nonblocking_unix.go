//go:build unix && !(linux && !386 && !s390x && !race)

package stream

import "syscall"

func recv(fd int, p []byte) (int, error) { return syscall.Read(fd, p) }

func send(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }

// sendMore is send of what more will follow at once. There is no telling the
// kernel so here: a large message costs one packet more.
func sendMore(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }
