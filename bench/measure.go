package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/isosocket/isosocket/bench/internal/latency"
	"github.com/isosocket/isosocket/bench/internal/load"
	"github.com/isosocket/isosocket/bench/internal/peer"
	"github.com/isosocket/isosocket/bench/internal/process"
	"github.com/isosocket/isosocket/bench/internal/report"
	"github.com/isosocket/isosocket/bench/internal/wire"
)

// counterpart is the other side of a measured process.
type counterpart interface {
	Count() load.Count
	Time(on bool)
	Times() *latency.Counts
	Err() error
	Close()
}

// start runs the measured process.
func (m *measurement) start(t process.Task) (*process.Process, error) {
	t.Peer, t.Profile = m.peer.Name, m.profile
	return process.Start(&t)
}

// watch measures p for one window while c exchanges messages with it.
func (m *measurement) watch(p *process.Process, c counterpart, window time.Duration) (report.Figures, error) {
	time.Sleep(m.warmup)
	before, err := p.Begin()
	if err != nil {
		return report.Figures{}, err
	}
	c.Time(true)
	from := c.Count()
	time.Sleep(window)
	to := c.Count()
	c.Time(false)
	after, err := p.End()
	if err != nil {
		return report.Figures{}, err
	}
	if err := c.Err(); err != nil {
		return report.Figures{}, err
	}
	f, err := figures(before, after, from, to)
	if times := c.Times(); err == nil && times != nil {
		f.P50Micros, f.P99Micros = micros(times.Quantile(0.5)), micros(times.Quantile(0.99))
	}
	return f, err
}

func figures(before, after process.Sample, from, to load.Count) (report.Figures, error) {
	messages, bytes, took := to.Since(from)
	if messages == 0 {
		return report.Figures{}, fmt.Errorf("no message in %v", took)
	}
	n := float64(messages)
	return report.Figures{
		Rate:      n / took.Seconds(),
		CPUMicros: micros(after.CPU-before.CPU) / n,
		P50Micros: micros(after.P50),
		P99Micros: micros(after.P99),
		Allocs:    float64(after.Mallocs-before.Mallocs) / n,
		RSS:       float64(after.RSS) / (1 << 20),
		WireBytes: float64(bytes) / n,
	}, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// underLoad starts a server, opens connections to it, and measures both.
func (m *measurement) underLoad(t process.Task, connections int, measure func(*process.Process, *load.Clients) (report.Figures, error)) (report.Figures, error) {
	p, err := m.start(t)
	if err != nil {
		return report.Figures{}, err
	}
	defer p.Stop()
	c, err := load.Open(t.Network, p.Address, connections, t.Compression.Offer())
	if err != nil {
		return report.Figures{}, err
	}
	defer c.Close()
	return measure(p, c)
}

// echo measures a server that returns every message.
func (m *measurement) echo(t process.Task, script *wire.Script, connections, depth int) (report.Figures, error) {
	t.Role = process.Echo
	return m.underLoad(t, connections, func(p *process.Process, c *load.Clients) (report.Figures, error) {
		c.Echo(script, depth, min(max(t.Size*2, 16<<10), 128<<10))
		return m.watch(p, c, m.window)
	})
}

// push measures a server that sends as fast as it can.
func (m *measurement) push(t process.Task, connections int) (report.Figures, error) {
	t.Role = process.Push
	return m.underLoad(t, connections, func(p *process.Process, c *load.Clients) (report.Figures, error) {
		c.Read(64 << 10)
		return m.watch(p, c, m.window)
	})
}

// broadcast measures a server that sends rounds messages to every connection, waits until they
// have arrived, and repeats that, times in all.
func (m *measurement) broadcast(t process.Task, connections, rounds, times int) (report.Figures, error) {
	t.Role = process.Broadcast
	return m.underLoad(t, connections, func(p *process.Process, c *load.Clients) (report.Figures, error) {
		c.Read(4 << 10)
		// A round before the measurement fills pools and waits for connections that have not
		// joined.
		joined, err := m.settle(p, c, connections)
		if err != nil {
			return report.Figures{}, err
		}
		before, err := p.Begin()
		if err != nil {
			return report.Figures{}, err
		}
		from := c.Count()
		to := from
		for i := range times {
			if err := p.Broadcast(rounds); err != nil {
				return report.Figures{}, err
			}
			if to, err = c.Wait(joined + int64(connections*rounds*(i+1))); err != nil {
				return report.Figures{}, err
			}
		}
		after, err := p.End()
		if err != nil {
			return report.Figures{}, err
		}
		return figures(before, after, from, to)
	})
}

// settle broadcasts until one round has reached every connection, and returns how many messages
// arrived in total. A server may register a connection some time after its handshake.
func (m *measurement) settle(p *process.Process, c *load.Clients, connections int) (int64, error) {
	for range 20 {
		base := c.Count().Messages
		if err := p.Broadcast(1); err != nil {
			return 0, err
		}
		for range 200 {
			if n := c.Count().Messages; n == base+int64(connections) {
				return n, nil
			}
			time.Sleep(10 * time.Millisecond)
			if err := c.Err(); err != nil {
				return 0, err
			}
		}
	}
	return 0, fmt.Errorf("no broadcast reached all %d connections", connections)
}

// topics measures a server that publishes rounds messages under each topic, waits until they have
// arrived at all members, and repeats that, times in all. The time of a delivery counts from the
// order to publish them.
func (m *measurement) topics(t process.Task, connections, rounds, times int) (report.Figures, error) {
	t.Role = process.Topics
	return m.underLoad(t, connections, func(p *process.Process, c *load.Clients) (report.Figures, error) {
		var hello []byte
		if m.peer == &peer.Centrifuge {
			hello = []byte(peer.Hello)
		}
		c.ReadMarked(hello, 16<<10)
		joined, err := m.settle(p, c, connections*t.Joins)
		if err != nil {
			return report.Figures{}, err
		}
		before, err := p.Begin()
		if err != nil {
			return report.Figures{}, err
		}
		c.Pushed()
		c.Time(true)
		from := c.Count()
		to := from
		for i := range times {
			c.Pushed()
			if err := p.Broadcast(rounds); err != nil {
				return report.Figures{}, err
			}
			if to, err = c.Wait(joined + int64(connections*t.Joins*rounds*(i+1))); err != nil {
				return report.Figures{}, err
			}
		}
		after, err := p.End()
		if err != nil {
			return report.Figures{}, err
		}
		f, err := figures(before, after, from, to)
		deliveries := c.Times()
		f.P50Micros, f.P99Micros = micros(deliveries.Quantile(0.5)), micros(deliveries.Quantile(0.99))
		return f, err
	})
}

// relay measures how long a message is on its way from the publisher to a client: on one machine, or
// over a server of NATS in this process.
func (m *measurement) relay(t process.Task, warmup, messages int) (report.Figures, error) {
	t.Role = process.Relay
	if t.NATS != "" {
		url, stop, err := startNATS()
		if err != nil {
			return report.Figures{}, err
		}
		defer stop()
		t.NATS = url
	}
	p, err := m.start(t)
	if err != nil {
		return report.Figures{}, err
	}
	defer p.Stop()
	if err := p.Broadcast(warmup); err != nil {
		return report.Figures{}, err
	}
	before, err := p.Begin()
	if err != nil {
		return report.Figures{}, err
	}
	from := load.Count{At: time.Now()}
	if err := p.Broadcast(messages); err != nil {
		return report.Figures{}, err
	}
	to := load.Count{At: time.Now(), Messages: int64(messages)}
	after, err := p.End()
	if err != nil {
		return report.Figures{}, err
	}
	return figures(before, after, from, to)
}

// startNATS starts a server with JetStream and its files in a temporary folder.
func startNATS() (url string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "bench-nats")
	if err != nil {
		return "", nil, err
	}
	s, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true, JetStream: true, StoreDir: dir})
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.Start()
	stop = func() {
		s.Shutdown()
		s.WaitForShutdown()
		os.RemoveAll(dir)
	}
	if !s.ReadyForConnections(10 * time.Second) {
		stop()
		return "", nil, errors.New("the server of NATS does not start")
	}
	return s.ClientURL(), stop, nil
}

// idle measures the cost of connections that echoed a number of messages of script each and were
// then idle for the pause.
func (m *measurement) idle(t process.Task, connections int, script *wire.Script, messages int, pause time.Duration) (report.Figures, error) {
	t.Role = process.Echo
	p, err := m.start(t)
	if err != nil {
		return report.Figures{}, err
	}
	defer p.Stop()
	before, err := p.Collect()
	if err != nil {
		return report.Figures{}, err
	}
	c, err := load.Open(t.Network, p.Address, connections, t.Compression.Offer())
	if err != nil {
		return report.Figures{}, err
	}
	defer c.Close()
	if err := c.Few(script, messages); err != nil {
		return report.Figures{}, err
	}
	time.Sleep(pause)
	after, err := p.Collect()
	if err != nil {
		return report.Figures{}, err
	}
	kib := 1024 * float64(connections)
	return report.Figures{
		RSS:      float64(after.RSS) / (1 << 20),
		ConnKiB:  float64(after.RSS-before.RSS) / kib,
		HeapKiB:  (float64(after.Heap) - float64(before.Heap)) / kib,
		StackKiB: (float64(after.Stacks) - float64(before.Stacks)) / kib,
	}, nil
}

// openings measures how fast a server accepts connections.
func (m *measurement) openings(t process.Task, workers int) (report.Figures, error) {
	t.Role = process.Echo
	p, err := m.start(t)
	if err != nil {
		return report.Figures{}, err
	}
	defer p.Stop()
	o := load.OpenRepeatedly(t.Network, p.Address, workers)
	defer o.Close()
	return m.watch(p, o, m.window)
}

// client measures connections that a library dialled to server.
func (m *measurement) client(t process.Task, server *load.Server) (report.Figures, error) {
	defer server.Close()
	t.Address = server.Address()
	p, err := m.start(t)
	if err != nil {
		return report.Figures{}, err
	}
	defer p.Stop()
	return m.watch(p, server, m.window)
}

// swallow measures the memory that receiving one message takes.
func (m *measurement) swallow(t process.Task) (report.Figures, error) {
	t.Role = process.Swallow
	p, err := m.start(t)
	if err != nil {
		return report.Figures{}, err
	}
	defer p.Stop()
	before, err := p.Collect()
	if err != nil {
		return report.Figures{}, err
	}
	c, err := load.Open(t.Network, p.Address, 1, "")
	if err != nil {
		return report.Figures{}, err
	}
	defer c.Close()
	if err := c.Swallow(wire.Repeat(t.Size)); err != nil {
		return report.Figures{}, err
	}
	after, err := p.End()
	if err != nil {
		return report.Figures{}, err
	}
	return report.Figures{PeakRatio: float64(after.Peak-before.RSS) / float64(t.Size)}, nil
}

// stream measures a server that moves one message of size bytes in pieces. The unit is a MiB. A
// smaller message before it brings the server's code and buffers into memory.
func (m *measurement) stream(t process.Task, size int64) (report.Figures, error) {
	p, err := m.start(t)
	if err != nil {
		return report.Figures{}, err
	}
	defer p.Stop()
	c, err := load.Open(t.Network, p.Address, 1, "")
	if err != nil {
		return report.Figures{}, err
	}
	defer c.Close()
	move := c.Download
	if t.Role == process.Sink {
		move = func(size int64) (time.Duration, error) { return c.Upload(size, 64<<10) }
	}
	if _, err := move(32 << 20); err != nil {
		return report.Figures{}, err
	}
	idle, err := p.Begin()
	if err != nil {
		return report.Figures{}, err
	}
	took, err := move(size)
	if err != nil {
		return report.Figures{}, err
	}
	after, err := p.End()
	if err != nil {
		return report.Figures{}, err
	}
	n := float64(size) / (1 << 20)
	return report.Figures{
		Rate:      n / took.Seconds(),
		CPUMicros: micros(after.CPU-idle.CPU) / n,
		Allocs:    float64(after.Mallocs-idle.Mallocs) / n,
		RSS:       float64(after.RSS) / (1 << 20),
		OverIdle:  float64(after.Peak-idle.RSS) / (1 << 20),
	}, nil
}

// paced measures a server under a load whose rate does not depend on it.
func (m *measurement) paced(t process.Task, connections int, every time.Duration) (report.Figures, error) {
	t.Role = process.Echo
	return m.underLoad(t, connections, func(p *process.Process, c *load.Clients) (report.Figures, error) {
		c.Pace(wire.Repeat(t.Size), every, 512)
		return m.watch(p, c, max(m.window, 2*m.warmup))
	})
}
