//go:build !js

package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/server"
)

func main() {
	clients := flag.Int("clients", 1000, "how many clients")
	down := flag.Duration("down", 2*time.Second, "how long the server is away")
	svg := flag.String("svg", "", "file to draw the histogram in")
	flag.Parse()
	if err := run(*clients, *down, *svg); err != nil {
		fmt.Fprintln(os.Stderr, "herd:", err)
		os.Exit(1)
	}
}

func run(clients int, down time.Duration, svg string) error {
	c, err := restart(clients, down)
	if err != nil {
		return err
	}
	c.print(os.Stdout)
	if svg != "" {
		if err := os.WriteFile(svg, c.svg(), 0o644); err != nil {
			return err
		}
	}
	if c.stall > window/2 {
		return fmt.Errorf("this process was paused for %v, after which all delayed clients tried at once: try again when the machine is less busy", c.stall.Round(time.Millisecond))
	}
	if c.worst*10 >= clients {
		return fmt.Errorf("%d of %d clients made an attempt within %v", c.worst, clients, window)
	}
	return nil
}

// restart restarts a server of a number of clients, and returns when they have reconnected.
func restart(clients int, down time.Duration) (*chart, error) {
	if clients < 1 || down < 0 {
		return nil, fmt.Errorf("-clients must be at least 1 and -down not negative")
	}
	serving, err := serve("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := serving.address
	h := newHerd(clients)
	defer h.stop()
	h.connect("ws://" + address)
	if err := h.wait("connected", int64(clients), time.Minute); err != nil {
		return nil, err
	}
	time.Sleep(isosocket.DefaultStableAfter) // until the connections count as stable
	stalls := watchStalls()
	defer stalls.stop()
	h.record()
	if err := serving.stop(); err != nil {
		return nil, err
	}
	time.Sleep(down)
	if serving, err = serve(address); err != nil {
		return nil, err
	}
	err = h.wait("back", int64(clients), down+2*isosocket.DefaultMaxDelay)
	c := newChart(h.attempts(), clients, down)
	c.stall = stalls.stop()
	h.stop()
	serving.stop()
	return c, err
}

// stalls measures how late this process runs.
type stalls struct {
	once    sync.Once
	done    chan struct{}
	longest chan time.Duration
	result  time.Duration
}

func watchStalls() *stalls {
	s := &stalls{done: make(chan struct{}), longest: make(chan time.Duration)}
	go func() {
		const step = 5 * time.Millisecond
		var longest time.Duration
		ticker := time.NewTicker(step)
		defer ticker.Stop()
		for last := time.Now(); ; {
			select {
			case <-ticker.C:
				now := time.Now()
				longest = max(longest, now.Sub(last)-step)
				last = now
			case <-s.done:
				s.longest <- longest
				return
			}
		}
	}()
	return s
}

// stop returns the longest delay of the process.
func (s *stalls) stop() time.Duration {
	s.once.Do(func() {
		close(s.done)
		s.result = <-s.longest
	})
	return s.result
}

// service is a server that can be stopped.
type service struct {
	address  string
	http     http.Server
	endpoint *server.Endpoint
}

func serve(address string) (*service, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &service{address: listener.Addr().String()}
	s.endpoint = server.Handler(func(ctx context.Context, conn *server.Conn) error {
		_, err := conn.Receive(ctx)
		return err
	}, nil)
	s.http.Handler = s.endpoint
	go s.http.Serve(listener)
	return s, nil
}

// stop stops the server as a restart does.
func (s *service) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.http.Close()
	return s.endpoint.Shutdown(ctx)
}

// herd is many clients.
type herd struct {
	size   int
	ctx    context.Context
	cancel context.CancelFunc
	loops  sync.WaitGroup
	open   atomic.Int64

	mu    sync.Mutex
	began time.Time // zero until attempts are recorded
	times []time.Duration
}

func newHerd(size int) *herd {
	h := &herd{size: size}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// connect starts the clients.
func (h *herd) connect(url string) {
	options := &isosocket.ReconnectOptions{OnAttempt: h.attempt}
	for range h.size {
		h.loops.Go(func() {
			for conn, err := range isosocket.Connections(h.ctx, url, options) {
				if err != nil {
					return
				}
				h.open.Add(1)
				conn.Receive(h.ctx)
				h.open.Add(-1)
			}
		})
	}
}

func (h *herd) attempt(isosocket.Attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.began.IsZero() {
		h.times = append(h.times, time.Since(h.began))
	}
}

// record starts to record attempts.
func (h *herd) record() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.began = time.Now()
}

func (h *herd) attempts() []time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.Sort(h.times)
	return h.times
}

// wait waits until n connections are open.
func (h *herd) wait(what string, n int64, limit time.Duration) error {
	for deadline := time.Now().Add(limit); h.open.Load() < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d clients are %s after %v", h.open.Load(), n, what, limit)
		}
	}
	return nil
}

func (h *herd) stop() {
	h.cancel()
	h.loops.Wait()
}
