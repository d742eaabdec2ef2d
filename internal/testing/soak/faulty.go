//go:build !js

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/testing/faultproxy"
	"github.com/isosocket/isosocket/ws"
)

// faulty is a client behind a proxy that fails.
type faulty struct {
	id     uint64
	script script
	client *isosocket.Client

	mu   sync.Mutex
	sent deliveries
}

// startFaulty starts one. Its own goroutine sends; another one receives.
func (c *crowd) startFaulty(client uint64) {
	f := &faulty{id: client, script: faultyScript(client)}
	c.faulty = append(c.faulty, f)
	r := rand.New(rand.NewPCG(c.seed, client))
	proxy := c.proxies[client%uint64(len(c.proxies))]
	path := []string{"handler", "messages"}[client/uint64(len(c.proxies))%2]
	overflow := isosocket.DropOldest
	if client%4 == 0 {
		overflow = isosocket.RefuseNewest
	}
	dial := &isosocket.DialOptions{
		HandshakeTimeout: 3 * c.beat,
		CloseTimeout:     c.beat,
		Heartbeat:        &ws.Heartbeat{Every: c.beat, Timeout: 2 * c.beat},
	}
	if client%3 == 0 {
		dial.Compression = &ws.Compression{}
	}
	c.tasks.Go(func() {
		connected, once := make(chan struct{}), sync.Once{}
		err := c.begin(func() error {
			f.client = isosocket.NewClient(c.ctx, fmt.Sprintf("ws://%s/faulty/%s?client=%d", proxy, path, client), &isosocket.ClientOptions{
				Outbox: &isosocket.Outbox{MaxMessages: 16, Overflow: overflow},
				OnLost: func(m ws.Message, err error) { c.lost(f, m, err) },
				OnConnect: func(context.Context, *ws.Conn) error {
					once.Do(func() { close(connected) })
					c.counts.Reconnects.Add(1)
					return nil
				},
				Reconnect: &isosocket.ReconnectOptions{Dial: dial, BaseDelay: c.beat / 4, MaxDelay: c.beat, StableAfter: c.beat},
			})
			select {
			case <-connected:
				return nil
			case <-f.client.Done():
				return f.client.Err()
			case <-time.After(c.patience):
				return errors.New("no connection")
			}
		})
		if err != nil {
			c.fail("faulty", client, err)
			return
		}
		var receiving sync.WaitGroup
		receiving.Go(func() { c.receive(f) })
		c.sendFaulty(f, r)
		receiving.Wait()
	})
}

// lost records what OnLost said.
func (c *crowd) lost(f *faulty, m ws.Message, err error) {
	n, failed := f.script.number(m)
	if failed == nil {
		what := unconfirmed
		if errors.Is(err, errors.ErrNotSent) {
			what = notSent
		} else if !errors.Is(err, errors.ErrUnconfirmed) {
			c.fail("faulty", f.id, fmt.Errorf("a call of OnLost with %w", err))
		}
		f.mu.Lock()
		failed = f.sent.tell(n, what)
		f.mu.Unlock()
	}
	if failed != nil {
		c.fail("faulty", f.id, fmt.Errorf("calling OnLost: %w", failed))
	}
}

func (c *crowd) sendFaulty(f *faulty, r *rand.Rand) {
	for c.pause(c.aboutPace(r) / 4) {
		f.mu.Lock()
		n := f.sent.sending()
		f.mu.Unlock()
		m := f.script.message(nil, n)
		ctx, cancel := c.bounded()
		err := f.client.Send(ctx, m)
		cancel()
		if err == nil {
			continue
		}
		what := refused
		if errors.As(err, new(*errors.ConnectionClosed)) {
			what = unconfirmed // the connection broke during the call
		} else if !errors.Is(err, errors.ErrOutboxFull) {
			c.fail("faulty", f.id, fmt.Errorf("sending: %w", err))
		}
		f.mu.Lock()
		err = f.sent.tell(n, what)
		f.mu.Unlock()
		if err != nil {
			c.fail("faulty", f.id, fmt.Errorf("sending: %w", err))
		}
	}
	// The network works again by now.
	ctx, cancel := c.bounded()
	defer cancel()
	err := f.client.Confirm(ctx)
	for errors.Is(err, errors.ErrUnconfirmed) { // by a connection that broke before
		err = f.client.Confirm(ctx)
	}
	if err == nil {
		err = f.client.Flush(ctx)
	}
	if err != nil {
		c.fail("faulty", f.id, fmt.Errorf("confirming and flushing on a network that works: %w", err))
	}
	// All messages have arrived or were reported. So it does not matter if, on a busy machine, the
	// answer comes later than the short CloseTimeout.
	f.client.Close(errors.NormalClosure, "")
	<-f.client.Done()
}

// receive checks the echoes. Some are lost with their connections, but they stay in order.
func (c *crowd) receive(f *faulty) {
	var echoes arrivals
	for m, err := range f.client.Messages(c.ctx) {
		if err != nil {
			c.fail("faulty", f.id, fmt.Errorf("receiving: %w", err))
			return
		}
		n, err := f.script.number(m)
		if err == nil {
			err = echoes.add(n)
			echoes.Missing = nil // not used
		}
		if err != nil {
			c.fail("faulty", f.id, fmt.Errorf("an echo: %w", err))
		}
	}
}

// network is the proxies in front of a server.
type network struct {
	proxies []*faultproxy.Proxy
	tasks   sync.WaitGroup
	ended   chan struct{} // closed when everything passes from now on

	mu      sync.Mutex
	changes []int // by fault
}

// newNetwork starts proxies in front of address.
func newNetwork(size int, address string) (*network, error) {
	n := &network{ended: make(chan struct{}), changes: make([]int, len(faultproxy.Faults)+1)}
	for range size {
		proxy, err := faultproxy.Start(address)
		if err != nil {
			n.close()
			return nil, err
		}
		n.proxies = append(n.proxies, proxy)
	}
	return n, nil
}

func (n *network) addresses() (all []string) {
	for _, p := range n.proxies {
		all = append(all, p.Address())
	}
	return all
}

// fail makes the proxies fail at random.
func (n *network) fail(seed uint64, pace time.Duration, report func(error)) {
	for i, p := range n.proxies {
		r := rand.New(rand.NewPCG(seed, uint64(i)<<32))
		n.tasks.Go(func() {
			set := func(f faultproxy.Fault, latency time.Duration) {
				n.mu.Lock()
				n.changes[f]++
				n.mu.Unlock()
				if err := p.Set(f, latency); err != nil {
					report(fmt.Errorf("proxy %d: %w", i, err))
				}
			}
			rest := func(mean time.Duration) bool {
				select {
				case <-time.After(time.Duration((0.2 + 1.6*r.Float64()) * float64(mean))):
					return true
				case <-n.ended:
					return false
				}
			}
			latency := func() time.Duration { return time.Duration(r.Int64N(int64(20 * time.Millisecond))) }
			set(faultproxy.Pass, latency())
			for rest(3 * pace) {
				set(faultproxy.Faults[r.IntN(len(faultproxy.Faults))], latency())
				on := rest(pace)
				set(faultproxy.Pass, latency())
				if !on {
					return
				}
			}
		})
	}
}

// recover makes the proxies pass everything.
func (n *network) recover() {
	close(n.ended)
	n.tasks.Wait()
}

// faults returns how many faults there were.
func (n *network) faults() (sum int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range faultproxy.Faults {
		sum += n.changes[f]
	}
	return sum
}

func (n *network) close() {
	for _, p := range n.proxies {
		p.Close()
	}
}
