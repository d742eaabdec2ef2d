package ws

import (
	"context"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// Pipe returns two connected Conns in memory, with the behaviour of a real
// connection, including limits, high-water mark and closing handshake: each side
// receives the messages that the other sends. Each side has its own config; nil
// selects the defaults. If a config fails [Config.Check], both Conns have ended; see
// [NewConn].
func Pipe(a, b *Config) (*Conn, *Conn) {
	pa, pb := newPipeEnd(a), newPipeEnd(b)
	pa.peer, pb.peer = pb, pa
	return NewConn(pa, a), NewConn(pb, b)
}

// pipeEnd is a Transport whose Send pushes into the peer's inbox.
type pipeEnd struct {
	peer       *pipeEnd
	inbox      driver.Inbox
	ending     driver.Ending
	maxMessage int
	sendBuffer int

	mu   sync.Mutex    // orders this side's sends, and its end after them
	room chan struct{} // closed when the peer pulled, while a Send waits
	gone uint64        // messages that the peer has pulled
}

func newPipeEnd(config *Config) *pipeEnd {
	c := config.WithDefaults()
	return &pipeEnd{maxMessage: c.MaxMessageSize, sendBuffer: c.SendBuffer}
}

func (p *pipeEnd) Ending() *driver.Ending { return &p.ending }

func (p *pipeEnd) Receive(ctx context.Context, buf []byte) (driver.Message, error) {
	m, err := p.inbox.Receive(ctx)
	if err != nil {
		return driver.Message{}, err
	}
	p.peer.makeRoom()
	return m.Into(buf), nil
}

func (p *pipeEnd) TryReceive(buf []byte) (driver.Message, bool, error) {
	m, ok, err := p.inbox.Pull()
	if !ok {
		return driver.Message{}, false, err
	}
	p.peer.makeRoom()
	return m.Into(buf), true, nil
}

func (p *pipeEnd) Send(ctx context.Context, m driver.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.ending.Cause() == nil && p.Buffered() >= p.sendBuffer {
		if err := p.waitForRoom(ctx); err != nil {
			return err
		}
	}
	if p.ending.Cause() != nil {
		return io.ErrClosedPipe
	}
	if limit := p.peer.maxMessage; limit > 0 && len(m.Data) > limit {
		p.peer.end(&errors.ConnectionClosed{
			Reason:  errors.MessageTooBig,
			Message: "message of " + strconv.Itoa(len(m.Data)) + " bytes: the limit is " + strconv.Itoa(limit) + " bytes",
		})
		return nil
	}
	p.peer.inbox.Push(driver.Message{Kind: m.Kind, Data: append([]byte{}, m.Data...)})
	return nil
}

// waitForRoom releases p.mu while it waits.
func (p *pipeEnd) waitForRoom(ctx context.Context) error {
	if p.room == nil {
		p.room = make(chan struct{})
	}
	room := p.room
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-room:
		return nil
	case <-p.ending.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipeEnd) makeRoom() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone++
	if p.room != nil && p.Buffered() < p.sendBuffer {
		close(p.room)
		p.room = nil
	}
}

// end ends this side and the peer's side with cause.
func (p *pipeEnd) end(cause *errors.ConnectionClosed) {
	p.ending.Set(cause)
	cause = p.ending.Cause()
	p.inbox.End()
	p.peer.ending.Set(&errors.ConnectionClosed{Reason: cause.Reason, Message: cause.Message, Remote: true})
	p.peer.inbox.End()
}

// Departures implements driver.DepartureCounter.
func (p *pipeEnd) Departures() (n uint64, waiting bool, patience time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone, p.Buffered() > 0, 0
}

// Ping implements driver.Pinger.
func (p *pipeEnd) Ping(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if p.ending.Cause() != nil {
		return 0, io.ErrClosedPipe
	}
	return time.Since(began), nil
}

// Flush returns at once: Send puts a message directly into the peer's inbox.
func (p *pipeEnd) Flush(context.Context) error { return nil }

func (p *pipeEnd) Buffered() int { return p.peer.inbox.Bytes() }

func (p *pipeEnd) Close(_ context.Context, reason errors.CloseReason, message string) error {
	p.end(&errors.ConnectionClosed{Reason: reason, Message: message})
	p.inbox.Clear()
	return nil
}
