package stream

import (
	"os"
	"sync"
	"syscall"
)

// canPoll says that a Poller works on this system.
const canPoll = true

// Poller waits until parked connections are readable, for all of them on one goroutine. Its
// zero value is ready for use. All methods may be called from many goroutines.
type Poller struct {
	mu      sync.Mutex
	epoll   *os.File // nil while there are no entries
	raw     syscall.RawConn
	entries map[uint64]*PollEntry
	last    uint64 // id
}

// PollEntry is a connection that a Poller knows. Readable is called, on the Poller's
// goroutine, once after each Park when the connection may be readable; it must not block.
type PollEntry struct {
	Transport *Transport
	Readable  func()

	// The descriptor cannot be the key: the system may use it again before an event of the
	// connection that had it was looked at.
	id    uint64 // 0: not added yet
	armed bool   // the system knows the descriptor
}

// Add makes e known to p, until Remove.
func (p *Poller) Add(e *PollEntry) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoll == nil {
		if err := p.open(); err != nil {
			return err
		}
	}
	p.last++
	e.id = p.last
	p.entries[e.id] = e
	return nil
}

// Remove forgets e. Its connection may have ended or not.
func (p *Poller) Remove(e *PollEntry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.entries, e.id)
	if e.armed {
		// A descriptor that is closed leaves the set by itself; then this fails.
		_ = e.Transport.socket.raw.Control(func(fd uintptr) {
			_ = p.raw.Control(func(epoll uintptr) { _ = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_DEL, int(fd), nil) })
		})
	}
	if len(p.entries) == 0 && p.epoll != nil {
		p.epoll.Close() // ends wait
		p.epoll, p.raw = nil, nil
	}
}

// Park parks the connection of e, and reports whether it did; see [Transport.Park]. It calls
// before, which must not block, before Readable may be called.
func (p *Poller) Park(e *PollEntry, before func()) bool {
	return e.Transport.Park(func(fd uintptr) error {
		before()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.raw == nil {
			return os.ErrClosed
		}
		change := syscall.EPOLL_CTL_MOD
		if !e.armed {
			change = syscall.EPOLL_CTL_ADD
		}
		event := syscall.EpollEvent{
			Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT,
			Fd:     int32(uint32(e.id)), Pad: int32(uint32(e.id >> 32)),
		}
		failed := error(nil)
		err := p.raw.Control(func(epoll uintptr) { failed = syscall.EpollCtl(int(epoll), change, int(fd), &event) })
		if err == nil {
			err = failed
		}
		e.armed = e.armed || err == nil
		return err
	})
}

// open makes the epoll set, and starts to wait for it. mu is locked.
func (p *Poller) open() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// The set is itself readable when one of its connections is, so that the runtime's own
	// poller waits for it, and no thread. Only a descriptor that does not block is given to it.
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return os.NewSyscallError("setnonblock", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return err
	}
	p.epoll, p.raw, p.entries = file, raw, make(map[uint64]*PollEntry)
	go p.wait(raw)
	return nil
}

// wait calls Readable of what becomes readable, until the set is closed.
func (p *Poller) wait(raw syscall.RawConn) {
	events := make([]syscall.EpollEvent, 128)
	ready := make([]*PollEntry, 0, len(events))
	for {
		n := 0
		err := raw.Read(func(epoll uintptr) bool {
			var err error
			for n, err = syscall.EpollWait(int(epoll), events, 0); err == syscall.EINTR; {
				n, err = syscall.EpollWait(int(epoll), events, 0)
			}
			return n > 0 || err != nil
		})
		if err != nil {
			return
		}
		ready = ready[:0]
		p.mu.Lock()
		for _, event := range events[:max(n, 0)] {
			if e := p.entries[uint64(uint32(event.Fd))|uint64(uint32(event.Pad))<<32]; e != nil {
				ready = append(ready, e)
			}
		}
		p.mu.Unlock()
		for _, e := range ready {
			e.Readable()
		}
		clear(ready)
	}
}

// Park is for a connection that was silent for a while, and whose reader wants to give its
// goroutine back. It calls wait, which must see to it that Unpark is called once the descriptor
// is readable or the connection has ended, and reports true. Until Unpark no goroutine reads.
//
// It reports false, without calling wait, if there is something to receive, if the connection
// has ended, or if the stream is not a socket, and also if wait returns an error. Only the
// goroutine that receives may call it.
func (t *Transport) Park(wait func(fd uintptr) error) bool {
	if !t.socket.usable() {
		return false
	}
	t.takeTurn()
	defer t.reading.Unlock()
	if t.over || t.inbox.Bytes() > 0 || !t.parsed() {
		return false
	}
	// Nothing is read in the background: what is here was read, and what comes wakes the
	// reader.
	t.armed.Store(false)
	t.parked = true
	failed := error(nil)
	err := t.socket.raw.Control(func(fd uintptr) { failed = wait(fd) })
	t.parked = err == nil && failed == nil
	return t.parked
}

// readable reports whether a read would return something, an end included. Called for a
// socket, with the turn.
func (t *Transport) readable() bool {
	readable := true
	err := t.socket.raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		readable = err != syscall.EAGAIN
	})
	return err != nil || readable
}
