package nats

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	natsio "github.com/nats-io/nats.go"
)

// link is the state of the connection.
type link struct {
	lost, overflows, doubts atomic.Uint64

	mu        sync.Mutex
	connected bool
	since     time.Time
	err       error
}

// hook adds the engine's handlers to those of the program.
func (l *link) hook(e *Engine, o *natsio.Options) {
	disconnected, reconnected, failure := o.DisconnectedErrCB, o.ReconnectedCB, o.AsyncErrorCB
	o.DisconnectedErrCB = func(nc *natsio.Conn, err error) {
		if !e.closed.Load() {
			l.lost.Add(1)
			l.note(false, err)
			if e.options.Trace.Link != nil {
				e.options.Trace.Link(false, err)
			}
		}
		if disconnected != nil {
			disconnected(nc, err)
		}
	}
	o.ReconnectedCB = func(nc *natsio.Conn) {
		l.note(true, nil)
		if e.options.Trace.Link != nil {
			e.options.Trace.Link(true, nil)
		}
		e.presence.greet()
		e.doubtUnstored(true)
		e.keeper.urgent.Store(true)
		e.wake()
		if reconnected != nil {
			reconnected(nc)
		}
	}
	o.AsyncErrorCB = func(nc *natsio.Conn, sub *natsio.Subscription, err error) {
		if errors.Is(err, natsio.ErrSlowConsumer) && sub != nil {
			l.overflows.Add(1)
			e.keeper.overflowed.Store(true)
			e.wake()
		} else {
			e.report(failed("NATS", err))
		}
		if failure != nil {
			failure(nc, sub, err)
		}
	}
}

func (l *link) note(connected bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.connected, l.since, l.err = connected, time.Now(), err
}

// up reports whether there is a connection, and since when.
func (l *link) up() (bool, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected, l.since
}

func (l *link) status(s *Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Connected, s.Since, s.Err = l.connected, l.since, l.err
	s.Lost, s.Overflows, s.Doubts = l.lost.Load(), l.overflows.Load(), l.doubts.Load()
}
