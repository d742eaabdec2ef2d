package peer

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket/bench/internal/latency"
	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// Run performs c's task until the other side ends the control connection.
func Run(c *process.Control) error {
	p, err := Find(c.Task.Peer)
	if err != nil {
		return err
	}
	r := &runner{Control: c, peer: p, payload: payload(&c.Task)}
	return c.Run(func() (string, error) {
		if c.Task.Client() {
			return "", r.dial()
		}
		return r.listen()
	})
}

func payload(t *process.Task) []byte {
	if t.Text {
		return wire.Document(t.Size)
	}
	return wire.Payload(t.Size)
}

type runner struct {
	*process.Control
	peer    *Peer
	payload []byte

	mu    sync.Mutex
	conns []Conn // for broadcasts
}

func (r *runner) listen() (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	address = l.Addr().String()
	if l, err = r.Task.Network.Listener(l); err != nil {
		return "", err
	}
	if r.Task.Role == process.Broadcast {
		r.OnBroadcast(r.broadcast)
	}
	switch r.Task.Role {
	case process.Topics:
		return address, r.topics(l)
	case process.Relay:
		return address, r.relay(l)
	}
	go func() {
		var err error
		if r.peer.ServeEvents != nil {
			err = r.peer.ServeEvents(l, &r.Task, r.opened, r.message)
		} else {
			err = r.peer.Serve(l, &r.Task, r.serve)
		}
		r.Fail(fmt.Errorf("listener: %w", err))
	}()
	return address, nil
}

// serve uses a connection until it ends. Any error is a normal end: the load disconnects after
// the measurement.
func (r *runner) serve(c Conn) {
	switch r.Task.Role {
	case process.Echo:
		for {
			data, err := c.Receive()
			if err != nil {
				return
			}
			if err := c.Send(data); err != nil {
				return
			}
		}
	case process.Push:
		for c.Send(r.payload) == nil {
		}
	case process.Broadcast:
		r.join(c)
		for {
			if _, err := c.Receive(); err != nil {
				return
			}
		}
	case process.Sink:
		buf := make([]byte, r.Task.Size)
		for {
			if _, err := c.(Streamer).ReceiveStream(buf); err != nil || c.Send([]byte("ok")) != nil {
				return
			}
		}
	case process.Source:
		for {
			data, err := c.Receive()
			if err != nil {
				return
			}
			size, err := strconv.ParseInt(string(data), 10, 64)
			if err != nil || c.(Streamer).SendStream(size, r.payload) != nil {
				return
			}
		}
	case process.Swallow:
		for {
			data, err := c.Receive()
			if err != nil {
				return
			}
			if !r.swallow(data, c) {
				return
			}
		}
	}
}

func (r *runner) opened(c Conn, _ []byte) {
	switch r.Task.Role {
	case process.Push:
		go func() {
			for c.Send(r.payload) == nil {
			}
		}()
	case process.Broadcast:
		r.join(c)
	}
}

func (r *runner) message(c Conn, data []byte) {
	switch r.Task.Role {
	case process.Echo:
		c.Send(data)
	case process.Swallow:
		r.swallow(data, c)
	}
}

func (r *runner) swallow(data []byte, c Conn) bool {
	if len(data) != r.Task.Size {
		r.Fail(fmt.Errorf("received %d bytes, not %d", len(data), r.Task.Size))
		return false
	}
	return c.Send([]byte("ok")) == nil
}

// topics serves topics, of which each connection joins the next ones in turn, and publishes a
// message under each on command.
func (r *runner) topics(l net.Listener) error {
	names := make([]string, r.Task.Topics)
	for i := range names {
		names[i] = "topic" + strconv.Itoa(i)
	}
	var joins atomic.Int64
	join := func() []string {
		first := int(joins.Add(int64(r.Task.Joins))) - r.Task.Joins
		mine := make([]string, r.Task.Joins)
		for i := range mine {
			mine[i] = names[(first+i)%len(names)]
		}
		return mine
	}
	publish, serve, err := r.peer.Topics(l, &r.Task, join)
	if err != nil {
		return err
	}
	payload := wire.Marked(r.Task.Size)
	r.OnBroadcast(func(rounds int) error {
		for range rounds {
			for _, name := range names {
				if err := publish(name, payload); err != nil {
					return err
				}
			}
		}
		return nil
	})
	go func() { r.Fail(fmt.Errorf("listener: %w", serve())) }()
	return nil
}

// relay publishes messages on command, each when the one before has arrived at a client in this
// process, and measures the time between.
func (r *runner) relay(l net.Listener) error {
	publish, serve, err := r.peer.Topics(l, &r.Task, func() []string { return []string{"topic"} })
	if err != nil {
		return err
	}
	go func() { r.Fail(fmt.Errorf("listener: %w", serve())) }()
	conn, _, rest, err := wire.Dial(l.Addr().String(), "")
	if err != nil {
		return err
	}
	if r.peer == &Centrifuge {
		if _, err := conn.Write(wire.AppendClientFrame(nil, wire.Text, false, []byte(Hello))); err != nil {
			return err
		}
	}
	arrived := make(chan time.Time, 1024)
	go func() {
		var marks wire.Marks
		buf := make([]byte, 16<<10)
		for p := rest; ; {
			for range marks.Count(p) {
				arrived <- time.Now()
			}
			n, err := conn.Read(buf)
			if err != nil {
				r.Fail(err)
				return
			}
			p = buf[:n]
		}
	}()
	payload := wire.Marked(r.Task.Size)
	if err := awaitMember(publish, payload, arrived); err != nil {
		return err
	}
	times := r.Histogram()
	r.OnBroadcast(func(rounds int) error {
		for range rounds {
			began := time.Now()
			if err := publish("topic", payload); err != nil {
				return err
			}
			select {
			case at := <-arrived:
				times.Record(at.Sub(began))
			case <-time.After(10 * time.Second):
				return errors.New("a message did not arrive within 10 s")
			}
		}
		return nil
	})
	return nil
}

// awaitMember publishes until a message arrives, and all that are on their way have arrived.
func awaitMember(publish func(string, []byte) error, payload []byte, arrived <-chan time.Time) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if err := publish("topic", payload); err != nil {
			return err
		}
		select {
		case <-arrived:
			for {
				select {
				case <-arrived:
					continue
				case <-time.After(500 * time.Millisecond):
				}
				return nil
			}
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("no message arrived within 20 s")
}

func (r *runner) join(c Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, c)
}

// broadcast returns once every message has been passed to the library; they may not have
// arrived.
func (r *runner) broadcast(rounds int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range rounds {
		if err := r.peer.Broadcast(&r.Task, r.conns, r.payload); err != nil {
			return err
		}
	}
	return nil
}

// dial opens the task's connections and starts each as soon as it is open.
func (r *runner) dial() error {
	for range r.Task.Connections {
		if r.peer.DialEvents != nil {
			run, err := r.dialEvents()
			if err != nil {
				return err
			}
			go run()
			continue
		}
		c, err := r.peer.Dial(&r.Task)
		if err != nil {
			return err
		}
		go func() { r.Fail(r.call(c)) }()
	}
	return nil
}

// call runs a client on one connection until an error ends it.
func (r *runner) call(c Conn) error {
	if r.Task.Role == process.Drain {
		for {
			if _, err := c.Receive(); err != nil {
				return err
			}
		}
	}
	for range r.Task.Depth {
		if err := c.Send(r.payload); err != nil {
			return err
		}
	}
	t := r.timer()
	for {
		if _, err := c.Receive(); err != nil {
			return err
		}
		t.lap()
		if err := c.Send(r.payload); err != nil {
			return err
		}
	}
}

// dialEvents is call for a library with callbacks.
func (r *runner) dialEvents() (run func(), err error) {
	drain := r.Task.Role == process.Drain
	t := r.timer()
	opened := func(c Conn, _ []byte) {
		if drain {
			return
		}
		for range r.Task.Depth {
			if err := c.Send(r.payload); err != nil {
				r.Fail(err)
				return
			}
		}
	}
	message := func(c Conn, _ []byte) {
		if drain {
			return
		}
		t.lap()
		if err := c.Send(r.payload); err != nil {
			r.Fail(err)
		}
	}
	return r.peer.DialEvents(&r.Task, opened, message)
}

// timer times the round trips of a client with one message in flight. With more, it cannot match
// replies to messages and does nothing.
type timer struct {
	h    *latency.Histogram
	last time.Time
}

func (r *runner) timer() *timer {
	if r.Task.Role != process.PingPong || r.Task.Depth != 1 {
		return new(timer)
	}
	return &timer{h: r.Histogram(), last: time.Now()}
}

func (t *timer) lap() {
	if t.h == nil {
		return
	}
	now := time.Now()
	t.h.Record(now.Sub(t.last))
	t.last = now
}
