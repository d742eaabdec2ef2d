//go:build !js

package faultproxy

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy forwards connections to one address. Its methods may be called from
// many goroutines.
type Proxy struct {
	address, target string
	tasks           sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	fault    Fault
	latency  time.Duration
	listener net.Listener // nil while refusing
	pairs    map[*pair]bool
}

// Start returns a proxy on a loopback port that passes everything to target until Set starts a
// fault. The caller must close it.
func Start(target string) (*Proxy, error) {
	p := &Proxy{address: "127.0.0.1:0", target: target, pairs: make(map[*pair]bool)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.listen(); err != nil {
		return nil, err
	}
	p.address = p.listener.Addr().String()
	return p, nil
}

// Address returns the proxy's address, as host:port.
func (p *Proxy) Address() string { return p.address }

// Set starts a fault, and sets the latency of forwarding from now on.
func (p *Proxy) Set(fault Fault, latency time.Duration) error {
	if int(fault) >= len(names) {
		return fmt.Errorf("faultproxy: %v", fault)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.latency = fault, latency
	for c := range p.pairs {
		switch fault {
		case Blackhole:
			c.swallow()
		case HalfClose:
			c.halfClose()
		case Reset, Refuse, Hang:
			c.reset()
		case Pass:
		}
	}
	switch {
	case p.closed:
		return net.ErrClosed
	case fault == Refuse && p.listener != nil:
		p.listener.Close()
		p.listener = nil
	case fault != Refuse && p.listener == nil:
		return p.listen()
	}
	return nil
}

// Close resets all connections and returns when the proxy's goroutines have ended.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	for c := range p.pairs {
		c.reset()
	}
	p.mu.Unlock()
	p.tasks.Wait()
}

// listen begins to accept. The caller holds p.mu.
func (p *Proxy) listen() error {
	listener, err := net.Listen("tcp", p.address)
	// The port was this proxy's, and will be free again soon.
	for try := 0; err != nil && try < 100; try++ {
		time.Sleep(10 * time.Millisecond)
		listener, err = net.Listen("tcp", p.address)
	}
	if err != nil {
		return fmt.Errorf("faultproxy: cannot listen: %w", err)
	}
	p.listener = listener
	p.tasks.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			p.tasks.Go(func() { p.serve(client.(*net.TCPConn)) })
		}
	})
	return nil
}

// serve forwards one connection, subject to the fault.
func (p *Proxy) serve(client *net.TCPConn) {
	c := &pair{client: client, wasReset: make(chan struct{}), left: make(chan struct{})}
	c.sides.Store(2)
	p.mu.Lock()
	fault, closed := p.fault, p.closed
	if !closed {
		p.pairs[c] = true
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.pairs, c)
		p.mu.Unlock()
	}()
	defer c.reset()
	if closed || fault == Refuse {
		return
	}
	if fault == Blackhole || fault == Hang {
		c.sides.Store(1)
		c.swallow()
		c.forward(p, client, nil)
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	if !c.connect(server.(*net.TCPConn)) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { c.forward(p, c.server, client) })
	c.forward(p, client, c.server)
	back.Wait()
}

// delay returns the current latency.
func (p *Proxy) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latency
}

// pair is one forwarded connection.
type pair struct {
	client   *net.TCPConn
	swallows atomic.Bool   // data is discarded
	wasReset chan struct{} // closed when both sides were reset
	sides    atomic.Int32  // that have not ended
	left     chan struct{} // closed when both have

	mu     sync.Mutex
	server *net.TCPConn // nil until connected
	gone   bool         // both sides were reset
}

// connect sets the server side, unless the pair has been reset.
func (c *pair) connect(server *net.TCPConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = server
	if c.gone {
		reset(server)
	}
	return !c.gone
}

func (c *pair) swallow() { c.swallows.Store(true) }

func (c *pair) halfClose() {
	c.swallow()
	c.client.CloseWrite()
}

func (c *pair) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	c.gone = true
	close(c.wasReset)
	reset(c.client)
	if c.server != nil {
		reset(c.server)
	}
}

// reset closes conn with an RST instead of a FIN.
func reset(conn *net.TCPConn) {
	conn.SetLinger(0)
	conn.Close()
}

// chunk holds the data of one read, and the time from which it may be forwarded.
type chunk struct {
	data []byte
	due  time.Time
}

// forward copies the data of one side to the other, in order and delayed, until either ends. If
// to is nil, it discards the data.
func (c *pair) forward(p *Proxy, from, to *net.TCPConn) {
	chunks := make(chan chunk, 128)
	var writing sync.WaitGroup
	writing.Go(func() {
		for k := range chunks {
			time.Sleep(time.Until(k.due))
			if c.swallows.Load() || to == nil {
				continue
			}
			if k.data == nil {
				to.CloseWrite()
			} else if _, err := to.Write(k.data); err != nil {
				c.reset()
			}
		}
	})
	for {
		buf := make([]byte, 8<<10)
		n, err := from.Read(buf)
		due := time.Now().Add(p.delay())
		if n > 0 {
			chunks <- chunk{buf[:n], due}
		}
		if err != nil {
			chunks <- chunk{nil, due}
			break
		}
	}
	close(chunks)
	writing.Wait()
	if c.sides.Add(-1) == 0 {
		close(c.left)
	}
	if c.swallows.Load() {
		// The end of the stream is not forwarded either; only a reset ends the other side. When
		// both sides have ended, nobody can see the difference.
		select {
		case <-c.wasReset:
		case <-c.left:
		}
	}
}
