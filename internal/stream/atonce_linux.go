package stream

import (
	"sync"
	"syscall"
	"unsafe"
)

// The system's view of a socket's memory: SO_MEMINFO fills in an array of which these are
// two elements.
const (
	soMemInfo     = 55 // on every architecture of Go
	memSendBuffer = 3
	memQueued     = 5
	memFields     = 9
)

// spare is how much of the send buffer must be free for a write of at most atOnce bytes. The
// system counts a few times the size of a small segment.
const spare = 32 << 10

// spaceQuery asks whether a small write would be taken at once. The callback is a field, so a
// call does not allocate.
type spaceQuery struct {
	onDescriptor func(fd uintptr) // ask
	unsent       int32
	memory       [memFields]uint32
	size         uint32
	ok           bool
}

var spaceQueries = sync.Pool{New: func() any {
	q := new(spaceQuery)
	q.onDescriptor = q.ask
	return q
}}

// ask does not notify the scheduler of its calls, which never block.
func (q *spaceQuery) ask(fd uintptr) {
	q.size = uint32(unsafe.Sizeof(q.memory))
	_, _, errno := syscall.RawSyscall6(sysGetsockopt, fd, syscall.SOL_SOCKET, soMemInfo,
		uintptr(unsafe.Pointer(&q.memory)), uintptr(unsafe.Pointer(&q.size)), 0)
	if errno != 0 || uintptr(q.size) <= memQueued*unsafe.Sizeof(q.memory[0]) || q.memory[memQueued]+spare > q.memory[memSendBuffer] {
		return
	}
	// A program or the system may also limit the bytes that are not sent
	// (TCP_NOTSENT_LOWAT).
	_, _, errno = syscall.RawSyscall(syscall.SYS_IOCTL, fd, siocOutQNSD, uintptr(unsafe.Pointer(&q.unsent)))
	q.ok = errno == 0 && q.unsent == 0
}

// takesAtOnce reports whether the system takes a write of at most atOnce bytes without
// blocking. It is false if that is not known.
func (s *socket) takesAtOnce() bool {
	if s.raw == nil {
		return false
	}
	q := spaceQueries.Get().(*spaceQuery)
	q.ok = false
	err := s.raw.Control(q.onDescriptor)
	ok := err == nil && q.ok
	spaceQueries.Put(q)
	return ok
}
