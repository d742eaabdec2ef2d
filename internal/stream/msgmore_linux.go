package stream

import "syscall"

const msgMore = syscall.MSG_MORE
