package stream

import (
	"os"
	"sync"
	"syscall"
)

// canPoll reports whether a Poller works on this system.
const canPoll = true

// Poller waits until parked connections are readable. It uses one goroutine for all of them.
// The zero value is ready to use. Its methods are safe for concurrent use.
type Poller struct {
	mu      sync.Mutex
	epoll   *os.File // nil while there are no entries
	raw     syscall.RawConn
	entries map[uint64]*PollEntry
	last    uint64 // id
}

// PollEntry is a connection of a Poller. Readable is called, on the Poller's
// goroutine, once after each Park when the connection may be readable; it must not block.
type PollEntry struct {
	Transport *Transport
	Readable  func()

	// The descriptor cannot be the key: the system may reuse it before an event of the
	// previous connection is handled.
	id    uint64 // 0: not added yet
	armed bool   // the system knows the descriptor
}

// Add adds e to p, until Remove.
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

// Remove removes e from p. Its connection may have ended.
func (p *Poller) Remove(e *PollEntry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.entries, e.id)
	if e.armed {
		// Closing a descriptor removes it from the set. The call then fails.
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

// open creates the epoll set, and starts to wait for it. mu is locked.
func (p *Poller) open() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	// The set itself is readable when one of its connections is. The runtime's poller can
	// thus wait for it without a thread. The poller accepts only non-blocking descriptors.
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

// wait calls Readable of entries that become readable, until the set is closed.
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

// Park lets the reader of a silent connection end its goroutine. It calls wait and reports
// true. wait must arrange for a call of Unpark once the descriptor is readable or the
// connection has ended. Until Unpark no goroutine reads.
//
// Park reports false, without calling wait, if a message can be received, the connection has
// ended, or the stream is not a socket. It also reports false if wait returns an error. Only
// the goroutine that receives may call Park.
func (t *Transport) Park(wait func(fd uintptr) error) bool {
	if !t.socket.usable() {
		return false
	}
	t.takeTurn()
	defer t.reading.Unlock()
	if t.over || t.inbox.Bytes() > 0 || !t.parsed() {
		return false
	}
	// No background reader is needed: all input was read, and new input wakes the reader.
	t.armed.Store(false)
	t.parked = true
	failed := error(nil)
	err := t.socket.raw.Control(func(fd uintptr) { failed = wait(fd) })
	t.parked = err == nil && failed == nil
	return t.parked
}

// readable reports whether a read would return bytes, an error or the end. Called for a
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
