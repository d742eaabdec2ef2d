//go:build !js

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket"
)

// patience is how long a client waits for anything on a network without faults before it counts as
// lost. It is for busy machines.
const patience = 2 * time.Minute

// shares are the parts of the clients that are of each kind, of a hundred; the rest is steady.
const (
	churningShare = 20
	faultyShare   = 10
	slowShare     = 5
	dyingShare    = 5

	// mostFaulty bounds the clients behind proxies, each of which costs this process two more
	// descriptors.
	mostFaulty = 1000
)

// population is how many clients there are of each kind.
type population struct {
	Steady, Churning, Faulty, Slow, Dying int
}

func populate(clients int) population {
	p := population{
		Churning: clients * churningShare / 100,
		Faulty:   min(clients*faultyShare/100, mostFaulty),
		Slow:     clients * slowShare / 100,
		Dying:    clients * dyingShare / 100,
	}
	p.Steady = clients - p.Churning - p.Faulty - p.Slow - p.Dying
	return p
}

func (p population) all() int { return p.Steady + p.Churning + p.Faulty + p.Slow + p.Dying }

// descriptors returns how many a process of clients needs: one for each, two more for each
// connection through a proxy, some of which overlap with the connection after them, and those of
// the process itself.
func (p population) descriptors() int { return p.all() + 3*p.Faulty + 200 }

// crowd is the clients.
type crowd struct {
	population
	problems problems
	at       addresses
	proxies  []string
	pace     time.Duration // the mean of a client's pauses
	beat     time.Duration // of the heartbeats of faulty clients
	patience time.Duration
	seed     uint64

	ctx    context.Context // ends when the run is abandoned
	cancel context.CancelFunc
	stop   chan struct{} // closed when the clients must finish
	dials  chan struct{} // a place for each first handshake under way
	begun  atomic.Int64  // clients that are connected
	tasks  sync.WaitGroup

	counts counts
	faulty []*faulty
}

// counts are what the clients did.
type counts struct {
	Echoes, EchoBytes atomic.Int64 // by steady clients
	Pushed            atomic.Int64 // messages received by slow ones
	Churned           atomic.Int64 // connections of churning ones that ended with the right reason
	Reconnects        atomic.Int64 // of faulty ones
	Deaths            atomic.Int64 // of dying peers
}

func newCrowd(ctx context.Context, p population, a addresses, pace time.Duration, seed uint64) *crowd {
	c := &crowd{population: p, at: a, pace: pace, seed: seed, patience: patience,
		stop: make(chan struct{}), dials: make(chan struct{}, 64)}
	c.ctx, c.cancel = context.WithCancel(ctx)
	return c
}

// start starts all clients.
func (c *crowd) start() {
	client := uint64(0)
	each := func(n int, run func(client uint64, r *rand.Rand)) {
		for range n {
			client++
			id := client
			c.tasks.Go(func() { run(id, rand.New(rand.NewPCG(c.seed, id))) })
		}
	}
	each(c.Steady, c.steady)
	each(c.Churning, c.churning)
	each(c.Slow, c.slow)
	each(c.Dying, c.dying)
	for range c.Faulty {
		client++
		c.startFaulty(client)
	}
}

// wait waits until all clients are connected, or one has failed.
func (c *crowd) wait(ctx context.Context) error {
	want := int64(c.all())
	for {
		count, texts := c.problems.list()
		switch n := c.begun.Load(); {
		case count > 0:
			return fmt.Errorf("%d of %d clients are connected, and there are %d problems:\n\t%s", n, want, count, strings.Join(texts, "\n\t"))
		case n >= want:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%d of %d clients are connected: %w", n, want, context.Cause(ctx))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// finish makes the clients finish, and waits for them. If they do not finish in time, they are
// abandoned.
func (c *crowd) finish(limit time.Duration) error {
	close(c.stop)
	done := make(chan struct{})
	go func() {
		c.tasks.Wait()
		close(done)
	}()
	defer c.cancel()
	select {
	case <-done:
		return nil
	case <-time.After(limit):
	case <-c.ctx.Done():
	}
	c.cancel()
	<-done
	return fmt.Errorf("the clients had not finished %v after they were told to", limit)
}

// fail records a problem of a client. A client that fails because the run was abandoned is none.
func (c *crowd) fail(kind string, client uint64, err error) {
	if c.ctx.Err() == nil {
		c.problems.add(kind, client, err)
	}
}

// stopping reports whether the clients must finish.
func (c *crowd) stopping() bool {
	select {
	case <-c.stop:
		return true
	case <-c.ctx.Done():
		return true
	default:
		return false
	}
}

// pause waits for d. It returns false if the clients must finish.
func (c *crowd) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return !c.stopping()
	case <-c.stop:
	case <-c.ctx.Done():
	}
	return false
}

// aboutPace returns a random pause with the mean c.pace.
func (c *crowd) aboutPace(r *rand.Rand) time.Duration {
	return time.Duration((0.5 + r.Float64()) * float64(c.pace))
}

// bounded returns a context for one step of a client.
func (c *crowd) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.ctx, c.patience)
}

// begin runs a client's first handshake, not too many at a time.
func (c *crowd) begin(dial func() error) error {
	select {
	case c.dials <- struct{}{}:
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	defer func() { <-c.dials }()
	if err := dial(); err != nil {
		return err
	}
	c.begun.Add(1)
	return nil
}

// dialOptions are those of all clients on the network without faults.
func dialOptions() *isosocket.DialOptions {
	return &isosocket.DialOptions{
		HandshakeTimeout: patience,
		CloseTimeout:     30 * time.Second,
		PingTimeout:      patience,
	}
}
