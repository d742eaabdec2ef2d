//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sort"
	"time"
)

// plan says how a run is made.
type plan struct {
	clients int
	lasts   time.Duration // after all clients are connected
	pace    time.Duration // the mean pause of a client
	beat    time.Duration // of the heartbeats of faulty clients
	seed    uint64
}

const (
	// mostSamples is about how many samples a run takes of each process.
	mostSamples = 120
	// clientsOfProxy is how many faulty clients share a proxy, and lose their connections together.
	clientsOfProxy = 20
	// fewestClients has each kind at least once.
	fewestClients = 20
	// warmUp is the part of the time, of a hundred, after which growth is judged: pools, maps and
	// the stacks of goroutines fill up first.
	warmUp = 25
	// settling is how long both processes may take to release everything in the end. Some of it is
	// the idle time of pools and of connections that were given up.
	settling = 90 * time.Second
)

// check returns an error if p cannot be run.
func (p plan) check() error {
	switch {
	case p.clients < fewestClients:
		return fmt.Errorf("-clients is %d; at least %d are needed to have some of each kind", p.clients, fewestClients)
	case p.lasts < time.Second || p.pace < time.Millisecond:
		return fmt.Errorf("-time is %v and -pace %v; the least are 1s and 1ms", p.lasts, p.pace)
	}
	need := uint64(populate(p.clients).descriptors())
	soft, hard, err := descriptorLimit()
	if err != nil {
		return err
	}
	if soft >= need {
		return nil
	}
	fits := sort.Search(p.clients, func(n int) bool { return uint64(populate(n+1).descriptors()) > soft })
	return fmt.Errorf("%d clients need %d open descriptors in a process, and the limit is %d (RLIMIT_NOFILE; it may be raised to %d): run ulimit -n %d first, or use at most %d clients",
		p.clients, need, soft, hard, need, fits)
}

// run runs the server process and the clients, and returns what was found. Its error is for a run
// that could not be made, not for one that found something.
func (p plan) run(ctx context.Context, progress io.Writer) (*result, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	bodies()
	child, err := startChild()
	if err != nil {
		return nil, err
	}
	defer child.kill()
	before := samples{server: child.first.Sample}
	if before.clients, err = measure(); err != nil {
		return nil, err
	}
	r := &result{plan: p, population: populate(p.clients), began: time.Now()}

	network, err := newNetwork(max(r.Faulty/clientsOfProxy, min(8, r.Faulty)), child.first.Addresses.Steady)
	if err != nil {
		return nil, err
	}
	defer network.close()
	crowd := newCrowd(ctx, r.population, child.first.Addresses, p.pace, p.seed)
	crowd.proxies, crowd.beat = network.addresses(), p.beat
	crowd.start()
	connecting, cancel := context.WithTimeoutCause(ctx, patience+time.Duration(p.clients)*20*time.Millisecond, errors.New("they take too long"))
	err = crowd.wait(connecting)
	cancel()
	if err != nil {
		crowd.cancel()
		crowd.finish(answerLimit)
		network.recover()
		return nil, err
	}
	fmt.Fprintf(progress, "all are connected after %v\n", time.Since(r.began).Round(time.Millisecond))
	network.fail(p.seed, 2*p.pace, func(err error) { crowd.problems.add("the proxy of a", 0, err) })

	err = p.watch(ctx, r, child, crowd, progress)
	network.recover()
	r.took = time.Since(r.began)
	if late := crowd.finish(2*patience + time.Minute); err == nil {
		err = late
	}
	if err != nil {
		return nil, err
	}
	r.counts.of(&crowd.counts)
	r.faults = network.faults()
	network.close()
	if err := r.settle(ctx, child, before); err != nil {
		return nil, err
	}
	if err := r.compare(ctx, child, crowd); err != nil {
		return nil, err
	}
	return r, child.stop()
}

// samples are a sample of each process.
type samples struct{ server, clients sample }

// watch measures both processes until the time is over.
func (p plan) watch(ctx context.Context, r *result, child *child, crowd *crowd, progress io.Writer) error {
	every := max(p.lasts/mostSamples, min(500*time.Millisecond, p.lasts/4))
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	start := time.Now()
	nextReport := time.Minute
	for time.Since(start) < p.lasts {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the run was abandoned after %v: %w", time.Since(start).Round(time.Second), ctx.Err())
		}
		a, err := child.ask(ctx, question{Measure: true})
		if err != nil {
			return err
		}
		s := samples{server: a.Sample}
		if s.clients, err = measure(); err != nil {
			return err
		}
		s.server.At = time.Since(start)
		s.clients.At = s.server.At
		r.samples = append(r.samples, s)
		r.open = append(r.open, a.Open)
		if load, err := loadAverage(); err == nil {
			r.load += load
		}
		// Between the sum and its parts, a message more may have been queued.
		if bound := int64(a.Slow) * (pushSendBuffer + 2*pushMost); a.Unsent > bound {
			r.problems = append(r.problems, fmt.Sprintf("%d bytes wait for %d slow readers, more than %d", a.Unsent, a.Slow, bound))
		}
		r.unsent = max(r.unsent, a.Unsent)
		count, _ := crowd.problems.list()
		if s.server.At >= nextReport {
			fmt.Fprintf(progress, "%v: %d connections, server %d MiB, %d goroutines, clients %d MiB, %d goroutines, %d echoes, %d problems\n",
				s.server.At.Round(time.Second), a.Open, s.server.Resident>>20, s.server.Goroutines, s.clients.Resident>>20, s.clients.Goroutines,
				crowd.counts.Echoes.Load(), count+a.Problems)
			nextReport += time.Minute
		}
		if count+a.Problems >= mostProblems {
			r.cut = true
			return nil // enough to report
		}
	}
	return nil
}

// settle waits until both processes hold no more than before.
func (r *result) settle(ctx context.Context, child *child, before samples) error {
	// Go's runtime and the pools of the library keep a few goroutines; the descriptors are those
	// of epoll, and of connections that net/http is closing.
	const spare = 10
	deadline := time.Now().Add(settling)
	for {
		a, err := child.ask(ctx, question{Measure: true})
		if err != nil {
			return err
		}
		s := samples{server: a.Sample}
		if s.clients, err = measure(); err != nil {
			return err
		}
		r.after, r.last = s, a
		var left []string
		for _, kept := range []struct {
			what        string
			now, before int
		}{
			{"connections of the server", a.Open, 0},
			{"goroutines of the server", s.server.Goroutines, before.server.Goroutines + spare},
			{"descriptors of the server", s.server.Descriptors, before.server.Descriptors + spare},
			{"goroutines of the clients", s.clients.Goroutines, before.clients.Goroutines + spare},
			{"descriptors of the clients", s.clients.Descriptors, before.clients.Descriptors + spare},
		} {
			if kept.now > kept.before {
				left = append(left, fmt.Sprintf("%d %s are left in the end, want at most %d", kept.now, kept.what, kept.before))
			}
		}
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			r.problems = append(r.problems, left...)
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// compare compares what the server saw with what the clients know.
func (r *result) compare(ctx context.Context, child *child, crowd *crowd) error {
	const batch = 100
	for i := 0; i < len(crowd.faulty); i += batch {
		some := crowd.faulty[i:min(i+batch, len(crowd.faulty))]
		var q question
		for _, f := range some {
			q.Arrived = append(q.Arrived, f.id)
		}
		a, err := child.ask(ctx, q)
		if err != nil {
			return err
		}
		if len(a.Arrived) != len(some) {
			return fmt.Errorf("the server process answered for %d clients of %d", len(a.Arrived), len(some))
		}
		for j, f := range some {
			f.mu.Lock()
			o, wrong := f.sent.judge(a.Arrived[j])
			f.mu.Unlock()
			r.faulty.add(o)
			for _, err := range wrong {
				crowd.problems.add("faulty", f.id, err)
			}
		}
	}
	if n := r.counts.Churned; uint64(n) != r.last.Churned {
		r.problems = append(r.problems, fmt.Sprintf("%d connections ended with the right reason at churning clients, but %d at the server", n, r.last.Churned))
	}
	if 10*r.faulty.Arrived < r.faulty.Sent {
		r.problems = append(r.problems, fmt.Sprintf("only %d of %d messages arrived through a network that often works", r.faulty.Arrived, r.faulty.Sent))
	}
	count, texts := crowd.problems.list()
	r.found("clients", count, texts)
	r.found("server", r.last.Problems, r.last.Texts)
	r.processors, r.version = runtime.NumCPU(), runtime.Version()
	return nil
}

// found adds problems of a process, of which texts are the first.
func (r *result) found(where string, count int, texts []string) {
	r.problems = append(r.problems, texts...)
	if more := count - len(texts); more > 0 {
		r.problems = append(r.problems, fmt.Sprintf("%d more problems of the %s", more, where))
	}
}
