// Command drain measures a rolling restart: a server drains many idle connections over some seconds.
// It counts the reasons with which they end, states how evenly they end, and follows the
// memory of the server. Each connection answers the close frame, as clients do. The server is a
// process of its own.
//
//	go run ./drain
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
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/isosocket/isosocket/bench/internal/child"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

const (
	window   = 250 * time.Millisecond // of the rate of ends
	patience = 10 * time.Second       // for the drain, beyond its spread
	openers  = 16
)

func main() {
	serving := flag.Bool("serve", false, "be the server; for the process that the command starts")
	byMessage := flag.Bool("messages", false, "use server.Messages, not server.Handler")
	connections := flag.Int("connections", 10_000, "how many to open")
	spread := flag.Duration("spread", 5*time.Second, "DrainOptions.Spread")
	flag.Parse()
	maxFiles := uint64(*connections) + 1_000
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: maxFiles, Max: maxFiles})
	var err error
	if *serving {
		err = serve(*byMessage, *spread)
	} else {
		err = measure(*byMessage, *connections, *spread)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve echoes. It prints its address, and answers each line: "memory" with its resident bytes
// and those of objects in use, "drain" with the outcome once the drain has ended.
func serve(byMessage bool, spread time.Duration) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	o := &server.Options{Detach: true, Logger: slog.New(slog.DiscardHandler)}
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
	}, o)
	if byMessage {
		endpoint = server.Messages(func(ctx context.Context, conn *server.Conn, m ws.Message) error {
			return conn.Send(ctx, m)
		}, o)
	}
	go http.Serve(l, endpoint)
	fmt.Println(l.Addr())
	var out sync.Mutex
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
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			out.Lock()
			fmt.Println("memory", pages*os.Getpagesize(), m.HeapAlloc, endpoint.Len(), runtime.NumGoroutine())
			out.Unlock()
		case "drain":
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), spread+patience)
				defer cancel()
				began := time.Now()
				err := endpoint.Drain(ctx, &server.DrainOptions{Spread: spread})
				out.Lock()
				defer out.Unlock()
				fmt.Println("drained", time.Since(began).Round(time.Millisecond), err)
			}()
		}
	}
	return nil
}

const handshake = "GET / HTTP/1.1\r\nHost: host\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"

// open opens a connection.
func open(address string) (net.Conn, *bufio.Reader, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	if _, err := io.WriteString(c, handshake); err != nil {
		return nil, nil, err
	}
	r := bufio.NewReaderSize(c, 256)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return nil, nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, nil, errors.New(answer.Status)
	}
	return c, r, nil
}

// end reads until the connection ends, answers the close frame, and returns its reason, 1006 without
// one.
func end(c net.Conn, r *bufio.Reader) int {
	defer c.Close()
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return 1006
		}
		data := make([]byte, head[1]) // a control frame, never masked
		if _, err := io.ReadFull(r, data); err != nil {
			return 1006
		}
		switch head[0] {
		case 0x89:
			c.Write(append([]byte{0x8a, 0x80 | head[1], 0, 0, 0, 0}, data...))
		case 0x88:
			if len(data) < 2 {
				return 1005
			}
			c.Write([]byte{0x88, 0x82, 0, 0, 0, 0, data[0], data[1]})
			io.Copy(io.Discard, r)
			return int(binary.BigEndian.Uint16(data))
		default:
			return 1002
		}
	}
}

// ended is how, and when, a connection ended.
type ended struct {
	reason int
	at     time.Time
}

func measure(byMessage bool, connections int, spread time.Duration) error {
	p, err := child.Start("-serve", "-messages="+strconv.FormatBool(byMessage), "-spread="+spread.String())
	if err != nil {
		return err
	}
	defer p.Stop()
	address, err := p.Line()
	if err != nil {
		return err
	}

	ends := make(chan ended, connections)
	var opening sync.WaitGroup
	failures := make(chan error, openers)
	for i := range openers {
		opening.Go(func() {
			for n := i; n < connections; n += openers {
				c, r, err := open(address)
				if err != nil {
					failures <- err
					return
				}
				go func() {
					reason := end(c, r)
					ends <- ended{reason, time.Now()}
				}()
			}
		})
	}
	opening.Wait()
	select {
	case err := <-failures:
		return err
	default:
	}
	time.Sleep(2 * time.Second) // until they are idle

	began := time.Now()
	p.Send("memory\ndrain")
	ticks := time.NewTicker(spread / 5)
	defer ticks.Stop()
	go func() {
		for range ticks.C {
			p.Send("memory")
		}
	}()
	fmt.Println("| after | resident MiB | in use on the heap | connections | goroutines |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	outcome := ""
	for outcome == "" {
		line, err := p.Line()
		if err != nil {
			return err
		}
		kind, rest, _ := strings.Cut(line, " ")
		if kind == "drained" {
			outcome = rest
			continue
		}
		var resident, used, open, goroutines int
		if _, err := fmt.Sscan(rest, &resident, &used, &open, &goroutines); err != nil {
			return err
		}
		fmt.Printf("| %v | %.1f | %.1f | %d | %d |\n", time.Since(began).Round(100*time.Millisecond), float64(resident)/(1<<20), float64(used)/(1<<20), open, goroutines)
	}
	reasons := map[int]int{}
	rates := map[time.Duration]int{}
	for range connections {
		select {
		case e := <-ends:
			reasons[e.reason]++
			rates[e.at.Sub(began)/window]++
		case <-time.After(patience):
			return fmt.Errorf("some connections did not end: %v", reasons)
		}
	}
	most := 0
	for _, n := range rates {
		most = max(most, n)
	}
	steady := float64(connections) * float64(window) / float64(spread)
	fmt.Printf("\nDrain returned after %s. Reasons: %v. The most ends in %v: %d, %.2f times the steady rate.\n", outcome, reasons, window, most, float64(most)/steady)
	return nil
}
