// Command members measures what members of topics cost, and what those that read slowly cost the
// others. The server, which also publishes, is a process of its own.
//
//	go run ./members -idle     # resident memory for an idle member, and for each further topic
//	go run ./members           # latency with and without members that read slowly
//
// Without -idle, members are spread over the topics, and messages are published at a steady rate,
// round the topics. In the second of two runs one member in a hundred reads nothing, and one in twenty
// at a tenth of the rate. A healthy member that misses a message fails the run.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/isosocket/isosocket/bench/internal/child"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const openers = 16

type options struct {
	serve, idle         bool
	connections, topics int
	rate, size          int
	lasting             time.Duration
}

func main() {
	var o options
	flag.BoolVar(&o.serve, "serve", false, "be the server; for the process that the command starts")
	flag.BoolVar(&o.idle, "idle", false, "measure the memory of idle members")
	flag.IntVar(&o.connections, "connections", 10_000, "how many to open")
	flag.IntVar(&o.topics, "topics", 100, "how many topics")
	flag.IntVar(&o.rate, "rate", 2_000, "messages published a second, in all topics together")
	flag.IntVar(&o.size, "size", 512, "bytes of a message")
	flag.DurationVar(&o.lasting, "time", 40*time.Second, "how long messages are published")
	flag.Parse()
	maxFiles := uint64(o.connections) + 1_000
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: maxFiles, Max: maxFiles})
	var err error
	switch {
	case o.serve:
		err = serve(o)
	case o.idle:
		err = measureIdle(o)
	default:
		err = measureSlow(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve joins each connection to the topics of the query. It prints its address, and answers each
// line: "memory" with its resident bytes, "publish" with the hub's figures once all is published.
func serve(o options) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h, err := hub.New(nil)
	if err != nil {
		return err
	}
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		query := conn.URL().Query()
		first, _ := strconv.Atoi(query.Get("first"))
		count, _ := strconv.Atoi(query.Get("count"))
		for i := range count {
			if _, err := h.Join(ctx, name((first+i)%o.topics), conn.Conn, nil); err != nil {
				return err
			}
		}
		for _, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	}, &server.Options{Detach: true, Logger: slog.New(slog.DiscardHandler)})
	go http.Serve(l, endpoint)
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "memory":
			debug.FreeOSMemory()
			status, err := os.ReadFile("/proc/self/statm")
			if err != nil {
				return err
			}
			pages, err := strconv.Atoi(strings.Fields(string(status))[1])
			if err != nil {
				return err
			}
			fmt.Println(pages * os.Getpagesize())
		case "publish":
			if err := publish(h, o); err != nil {
				return err
			}
			s := h.Stats()
			fmt.Println(s.Published, s.Delivered, s.Slow, s.CaughtUp, s.Gaps, s.Disconnected)
		}
	}
	return nil
}

func name(topic int) string { return "topic " + strconv.Itoa(topic) }

// publish publishes at the rate, in steps of a millisecond.
func publish(h *hub.Hub, o options) error {
	data := make([]byte, o.size)
	began := time.Now()
	total := int(float64(o.rate) * o.lasting.Seconds())
	for n := 0; n < total; {
		for due := int(time.Since(began).Seconds() * float64(o.rate)); n < min(due, total); n++ {
			binary.BigEndian.PutUint64(data, uint64(n/o.topics)) // of the topic
			binary.BigEndian.PutUint64(data[8:], uint64(time.Now().UnixNano()))
			if _, err := h.Publish(context.Background(), name(n%o.topics), ws.Binary(slices.Clone(data)), nil); err != nil {
				return err
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// serving is the server's process.
type serving struct {
	*child.Process
	address string
}

func start(o options) (*serving, error) {
	p, err := child.Start("-serve", "-connections="+strconv.Itoa(o.connections), "-topics="+strconv.Itoa(o.topics), "-rate="+strconv.Itoa(o.rate),
		"-size="+strconv.Itoa(o.size), "-time="+o.lasting.String())
	if err != nil {
		return nil, err
	}
	s := &serving{Process: p}
	s.address, err = p.Line()
	return s, err
}

func (s *serving) memory() (float64, error) {
	text, err := s.Ask("memory")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(text, 64)
}

// open opens connection n, which joins count topics.
func open(address string, n, count int, receiveBuffer int) (net.Conn, *bufio.Reader, error) {
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if receiveBuffer > 0 {
			raw.Control(func(fd uintptr) {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBuffer)
			})
		}
		return err
	}}
	c, err := d.Dial("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(c, "GET /?first=%d&count=%d HTTP/1.1\r\nHost: host\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", n, count)
	r := bufio.NewReaderSize(c, 1024)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, errors.New(answer.Status)
	}
	return c, r, nil
}

// openAll opens connections, several at a time.
func openAll(connections int, open func(n int) error) error {
	var opening sync.WaitGroup
	failures := make(chan error, openers)
	for i := range openers {
		opening.Go(func() {
			for n := i; n < connections; n += openers {
				if err := open(n); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	opening.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

// measureIdle compares the memory of members of one topic with that of members of ten.
func measureIdle(o options) error {
	resident := func(count int) (float64, error) {
		c, err := start(o)
		if err != nil {
			return 0, err
		}
		defer c.Stop()
		before, err := c.memory()
		if err != nil {
			return 0, err
		}
		conns := make([]net.Conn, o.connections)
		err = openAll(o.connections, func(n int) (err error) {
			conns[n], _, err = open(c.address, n, count, 0)
			return err
		})
		if err != nil {
			return 0, err
		}
		defer func() {
			for _, conn := range conns {
				conn.Close()
			}
		}()
		time.Sleep(3 * time.Second)
		after, err := c.memory()
		return (after - before) / float64(o.connections) / 1024, err
	}
	fmt.Println("| topics of each connection | resident KiB for each connection |\n| --- | --- |")
	for _, count := range []int{0, 1, 10} {
		kib, err := resident(count)
		if err != nil {
			return err
		}
		fmt.Printf("| %d | %.2f |\n", count, kib)
	}
	return nil
}

// outcome is what the healthy members saw.
type outcome struct {
	received, lost atomic.Int64
	mu             sync.Mutex
	latencies      []time.Duration // of one message in 64
}

func (m *outcome) quantile(q float64) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	slices.Sort(m.latencies)
	return m.latencies[min(int(q*float64(len(m.latencies))), len(m.latencies)-1)]
}

func measureSlow(o options) error {
	fmt.Println("| members that read slowly | received by the others | lost | p50 | p99 | resident MiB | slow, caught up, gaps, disconnected |\n| --- | --- | --- | --- | --- | --- | --- |")
	for _, slow := range []bool{false, true} {
		if err := runSlow(o, slow); err != nil {
			return err
		}
	}
	return nil
}

func runSlow(o options, slow bool) error {
	c, err := start(o)
	if err != nil {
		return err
	}
	defer c.Stop()
	var healthy outcome
	each := o.rate / o.topics // messages a second for a member
	var open1 sync.Mutex
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	var none, tenth int
	err = openAll(o.connections, func(n int) error {
		kind := n / o.topics % 100 // every topic has some of each
		reads, buffer := 1.0, 0
		if slow && kind == 0 {
			reads, buffer = 0, 4096
		} else if slow && kind <= 5 {
			reads, buffer = 0.1, 4096
		}
		conn, r, err := open(c.address, n, 1, buffer)
		if err != nil {
			return err
		}
		open1.Lock()
		conns = append(conns, conn)
		switch reads {
		case 0:
			none++
		case 0.1:
			tenth++
		}
		open1.Unlock()
		switch reads {
		case 1:
			go healthy.read(r, int64(n))
		case 0.1:
			go func() {
				message := make([]byte, o.size+4)
				for {
					if _, err := io.ReadFull(r, message); err != nil {
						return
					}
					time.Sleep(time.Second / time.Duration(max(each/10, 1)))
				}
			}()
		}
		return nil
	})
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	figures, err := c.Ask("publish")
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	resident, err := c.memory()
	if err != nil {
		return err
	}
	f := strings.Fields(figures)
	fmt.Printf("| %d none, %d a tenth | %d | %d | %v | %v | %.0f | %s |\n", none, tenth, healthy.received.Load(), healthy.lost.Load(),
		healthy.quantile(0.5).Round(10*time.Microsecond), healthy.quantile(0.99).Round(10*time.Microsecond), resident/(1<<20), strings.Join(f[2:], ", "))
	want := int64(float64(o.rate)*o.lasting.Seconds()) / int64(o.topics) * int64(o.connections-none-tenth)
	if healthy.lost.Load() != 0 || healthy.received.Load() != want {
		return fmt.Errorf("healthy members received %d messages and lost %d, want %d", healthy.received.Load(), healthy.lost.Load(), want)
	}
	return nil
}

// read receives messages, and checks that none is missing.
func (m *outcome) read(r *bufio.Reader, n int64) {
	next := uint64(0)
	var data []byte
	for {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			return
		}
		size := int(head[1])
		if size == 126 {
			if _, err := io.ReadFull(r, head[2:]); err != nil {
				return
			}
			size = int(binary.BigEndian.Uint16(head[2:]))
		}
		data = slices.Grow(data[:0], size)[:size]
		if _, err := io.ReadFull(r, data); err != nil {
			return
		}
		if head[0] != 0x82 {
			continue // a ping, which may stay without an answer that long
		}
		if sequence := binary.BigEndian.Uint64(data); sequence != next {
			m.lost.Add(1)
			next = sequence
		}
		next++
		if m.received.Add(1)%64 == n%64 {
			took := time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(data[8:]))))
			m.mu.Lock()
			m.latencies = append(m.latencies, took)
			m.mu.Unlock()
		}
	}
}
