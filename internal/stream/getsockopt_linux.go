//go:build !386

package stream

import "syscall"

const sysGetsockopt = syscall.SYS_GETSOCKOPT
