// Command flood measures what a flood from one address costs the clients of another one: the latency
// of their messages, and the time of the server's processors, with and without the limits of package
// server. The server, the flood and the measured clients are processes of their own; the flood
// has the lowest priority, since it would run on another machine.
//
//	go run ./flood
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/bench/internal/child"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const (
	victims  = 20
	every    = 10 * time.Millisecond // one message of a victim
	slowest  = time.Second           // one byte of a slow header
	most     = 3000                  // connections of a flood
	attempts = 2000                  // to connect, of a flood, in a second
	workers  = 16
	maxFiles = 20_000
)

var kinds = []string{"connections", "handshakes", "messages", "pings", "slow headers"}

func main() {
	role := flag.String("role", "", "what this process does; for the processes that the command starts")
	limits := flag.Bool("limits", false, "whether the server limits")
	address := flag.String("address", "", "the server")
	rounds := flag.Int("rounds", 3, "how often to measure")
	window := flag.Duration("window", 3*time.Second, "how long to measure")
	flag.Parse()
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: maxFiles, Max: maxFiles})
	var err error
	switch *role {
	case "":
		err = measure(*rounds, *window)
	case "server":
		err = serve(*limits)
	default:
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
		err = flood(*role, *address)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve echoes. It prints its address, and for each line that it reads the time of the processors
// that it has used, and which limits were reached.
func serve(limited bool) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// The defaults, which do not apply to this machine if they are not set.
	limits := &server.Limits{
		MaxConnectionsPerAddress: server.DefaultMaxConnectionsPerAddress,
		HandshakeRate:            server.DefaultHandshakeRate,
		MessageRate:              server.DefaultMessageRate,
		ByteRate:                 server.DefaultByteRate,
	}
	s := &http.Server{ReadHeaderTimeout: 2 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	if !limited {
		limits.MaxConnections, limits.MaxConnectionsPerAddress, limits.HandshakeRate = -1, -1, -1
		limits.MessageRate, limits.ByteRate, limits.MaxMemory = -1, -1, -1
		s.ReadHeaderTimeout = 0
	}
	limitedListener, err := server.Listener(l, limits)
	if err != nil {
		return err
	}
	endpoint := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		for m, err := range conn.Messages(ctx) {
			if err != nil {
				return err
			}
			if err := conn.Send(ctx, m); err != nil {
				return err
			}
		}
		return nil
	}, &server.Options{Limits: limits, Detach: true, Logger: slog.New(slog.DiscardHandler)})
	s.Handler = endpoint
	go s.Serve(limitedListener)
	fmt.Println(l.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			return err
		}
		fmt.Println(usage.Utime.Nano()+usage.Stime.Nano(), endpoint.Len(), fmt.Sprint(endpoint.Stats().Limits))
	}
	return nil
}

const handshake = "GET / HTTP/1.1\r\nHost: host\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

// attacker dials from another address than the measured clients.
var attacker = net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}

// shake performs a handshake and reports whether it was accepted.
func shake(address string) (net.Conn, bool) {
	c, err := attacker.Dial("tcp", address)
	if err != nil {
		return nil, false
	}
	c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, handshake)
	answer := make([]byte, 1024)
	n, err := c.Read(answer)
	if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 101") {
		c.Close()
		return nil, false
	}
	c.SetDeadline(time.Time{})
	return c, true
}

// flood does its worst until it is killed.
func flood(kind, address string) error {
	var mu sync.Mutex
	var held []net.Conn
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for {
				time.Sleep(workers * time.Second / attempts)
				switch kind {
				case "connections":
					mu.Lock()
					enough := len(held) >= most
					mu.Unlock()
					c, ok := shake(address)
					switch {
					case ok && enough:
						c.Close()
					case ok:
						mu.Lock()
						held = append(held, c)
						mu.Unlock()
					}
				case "handshakes":
					if c, ok := shake(address); ok {
						c.Close()
					}
				case "messages", "pings":
					c, ok := shake(address)
					if !ok {
						continue
					}
					go io.Copy(io.Discard, c)
					first := byte(0x82)
					if kind == "pings" {
						first = 0x89
					}
					frame := append([]byte{first, 0x80 | 32, 0, 0, 0, 0}, make([]byte, 32)...)
					many := []byte(strings.Repeat(string(frame), 1000))
					for {
						if _, err := c.Write(many); err != nil {
							break
						}
					}
				case "slow headers":
					var slow sync.WaitGroup
					for range most / workers {
						time.Sleep(workers * time.Second / attempts)
						slow.Go(func() {
							for {
								time.Sleep(most * time.Second / attempts)
								c, err := attacker.Dial("tcp", address)
								if err != nil {
									continue
								}
								for i := 0; err == nil && i < len(handshake)/2; i++ {
									_, err = c.Write([]byte{handshake[i]})
									time.Sleep(slowest)
								}
								c.Close()
							}
						})
					}
					slow.Wait()
				default:
					return
				}
			}
		})
	}
	working.Wait()
	return fmt.Errorf("there is no flood of %q", kind)
}

// cpu returns the time of processors that the server has used, and the rest of its line.
func cpu(s *child.Process) (time.Duration, string) {
	line, _ := s.Ask("")
	used, rest, _ := strings.Cut(line, " ")
	n, _ := strconv.ParseInt(used, 10, 64)
	return time.Duration(n), rest
}

// figures are those of one window.
type figures struct {
	p50, p99 time.Duration
	cpu      float64 // processors that the server used
	state    string  // of the server
}

// once measures the victims of a server during a flood of kind, "" for none.
func once(kind string, limited bool, window time.Duration) (f figures, err error) {
	s, err := child.Start("-role", "server", "-limits="+strconv.FormatBool(limited))
	if err != nil {
		return f, err
	}
	defer s.Stop()
	address, err := s.Line()
	if err != nil {
		return f, err
	}
	conns := make([]*ws.Conn, victims)
	for i := range conns {
		conns[i], err = isosocket.Dial(context.Background(), "ws://"+address, nil)
		if err != nil {
			return f, err
		}
	}
	if kind != "" {
		flooding, err := child.Start("-role", kind, "-address", address)
		if err != nil {
			return f, err
		}
		defer flooding.Stop()
	}
	time.Sleep(time.Second) // until the flood has risen
	before, _ := cpu(s)
	begin := time.Now()
	var mu sync.Mutex
	var times []time.Duration
	var clients sync.WaitGroup
	for i, conn := range conns {
		clients.Go(func() {
			var own []time.Duration
			next := begin.Add(every * time.Duration(i) / victims)
			for time.Since(begin) < window {
				time.Sleep(time.Until(next))
				sent := time.Now()
				conn.Send(context.Background(), ws.Text("hello, world, hello, world, hell"))
				if _, e := conn.Receive(context.Background()); e != nil {
					mu.Lock()
					err = e
					mu.Unlock()
					return
				}
				own = append(own, time.Since(sent))
				next = next.Add(every)
				if next.Before(time.Now()) {
					next = time.Now()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, own...)
		})
	}
	clients.Wait()
	if err != nil {
		return f, err
	}
	lasted := time.Since(begin)
	after, state := cpu(s)
	slices.Sort(times)
	return figures{times[len(times)/2], times[len(times)*99/100], float64(after-before) / float64(lasted), state}, nil
}

func median[T ~int64 | ~float64](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

func measure(rounds int, window time.Duration) error {
	type config struct {
		kind    string
		limited bool
	}
	configs := []config{{"", true}}
	for _, kind := range kinds {
		configs = append(configs, config{kind, true}, config{kind, false})
	}
	results := map[config][]figures{}
	for range rounds { // alternating, so that a busy machine disturbs all alike
		for _, c := range configs {
			f, err := once(c.kind, c.limited, window)
			if err != nil {
				return fmt.Errorf("%q, limits %v: %w", c.kind, c.limited, err)
			}
			results[c] = append(results[c], f)
		}
	}
	summary := func(c config) (f figures) {
		var p50, p99 []time.Duration
		var cpu []float64
		for _, r := range results[c] {
			p50, p99, cpu = append(p50, r.p50), append(p99, r.p99), append(cpu, r.cpu)
			f.state = r.state
		}
		f.p50, f.p99, f.cpu = median(p50), median(p99), median(cpu)
		return f
	}
	none := summary(config{"", true})
	fmt.Println("| flood | limits | p50 | p99 | p99 beside none | processors of the server | connections, and limits reached |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- |")
	for _, c := range configs {
		f, kind, limits := summary(c), c.kind, "off"
		if kind == "" {
			kind = "none"
		}
		if c.limited {
			limits = "on"
		}
		fmt.Printf("| %s | %s | %v | %v | %.2f | %.2f | %s |\n", kind, limits, f.p50.Round(time.Microsecond), f.p99.Round(time.Microsecond), float64(f.p99)/float64(none.p99), f.cpu, f.state)
	}
	return nil
}
