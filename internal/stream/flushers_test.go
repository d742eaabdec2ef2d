package stream

import (
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

func TestBroadcasts(t *testing.T) {
	const connections, broadcasts = 50, 200
	flushers := new(Flushers)
	o := Options{Flushers: flushers}
	var servers []*ws.Conn
	var receivers sync.WaitGroup
	for i := range connections {
		c, s := tcpPair(t)
		client, server := connect(t, rfc6455.Client, c, o), connect(t, rfc6455.Server, s, o)
		servers = append(servers, server)
		ctx := within(t)
		receivers.Go(func() {
			for n := 0; n < broadcasts; n++ {
				m, err := client.Receive(ctx)
				if err == nil && m.String() == "alone" {
					n--
					continue
				}
				if err != nil || m.String() != strconv.Itoa(n) {
					t.Errorf("connection %d, message %d: %.20q, %v", i, n, m, err)
					return
				}
			}
		})
	}
	ctx := within(t)
	for n := range broadcasts {
		p := ws.Prepare(ws.Text(strconv.Itoa(n)))
		for i, server := range servers {
			if err := server.SendPrepared(ctx, p); err != nil {
				t.Fatalf("SendPrepared: %v", err)
			}
			if (i+n)%7 == 0 {
				sendOrReport(t, server, ws.Text("alone"))
			}
		}
		if n%50 == 0 {
			time.Sleep(time.Millisecond) // the goroutines end, and others start
		}
	}
	receivers.Wait()
	for deadline := time.Now().Add(slack); ; time.Sleep(time.Millisecond) {
		flushers.mu.Lock()
		queued, working := len(flushers.queue), flushers.working
		flushers.mu.Unlock()
		if queued == 0 && working == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections in the queue, %d goroutines, want none", queued, working)
		}
	}
}

// One processor remains for the broadcasting goroutine while it broadcasts.
func TestFlushersLeaveAProcessor(t *testing.T) {
	f := &Flushers{processors: 4, working: 3}
	leave := func(n int) {
		for range n {
			f.queue = append(f.queue, new(writer))
		}
		f.added = true
	}
	taken := make([]*writer, flushAtOnce)
	expect := func(n int, help bool, working int) {
		t.Helper()
		gotN, gotHelp := f.take(taken)
		if gotN != n || gotHelp != help || f.working != working {
			t.Fatalf("%d taken, help %v, %d working; want %d, %v, %d", gotN, gotHelp, f.working, n, help, working)
		}
		for i, one := range taken[:n] {
			if one == nil {
				t.Fatalf("connection %d of %d is nil", i, n)
			}
		}
	}
	leave(6 * flushAtOnce)
	expect(flushAtOnce, false, 3) // output was added since the last take
	leave(flushAtOnce)
	expect(flushAtOnce, false, 3)
	expect(flushAtOnce, true, 4)  // none was added: all processors
	expect(flushAtOnce, false, 4) // but no more
	leave(1)
	expect(flushAtOnce, false, 4)
	expect(flushAtOnce, false, 4)
	expect(flushAtOnce, false, 4)
	expect(1, false, 4)
	for working := 3; working >= 0; working-- {
		expect(0, false, working)
	}
	if len(f.queue) != 0 {
		t.Errorf("%d connections in the queue, want none", len(f.queue))
	}
}

// A broadcast that does not wait reaches all other peers while one peer does not read,
// and reports that peer.
func TestBroadcastPassesADeafPeer(t *testing.T) {
	const connections, broadcasts, deaf = 4, 200, 1
	o := Options{Flushers: new(Flushers), PingInterval: -1, Config: ws.Config{CloseTimeout: time.Millisecond}}
	var servers []*ws.Conn
	var receivers sync.WaitGroup
	ctx := within(t)
	taken := make(chan struct{}, connections)
	for i := range connections {
		c, s := tcpPair(t)
		servers = append(servers, connect(t, rfc6455.Server, s, o))
		if i == deaf {
			defer c.Close()
			continue
		}
		client := connect(t, rfc6455.Client, c, o)
		receivers.Go(func() {
			for n := range broadcasts {
				m, err := client.Receive(ctx)
				if err != nil || len(m.Data) != 64<<10 || m.Data[0] != byte(n) {
					t.Errorf("connection %d, message %d: %d bytes, %v", i, n, len(m.Data), err)
					return
				}
				taken <- struct{}{}
			}
		})
	}
	refused := 0
	for n := range broadcasts {
		p := ws.Prepare(ws.Binary(append([]byte{byte(n)}, make([]byte, 64<<10-1)...)))
		for i, server := range servers {
			switch err := server.TrySendPrepared(p); {
			case err == nil:
			case i == deaf && errors.Is(err, errors.ErrWouldBlock):
				refused++
			default:
				t.Fatalf("connection %d, message %d: %v", i, n, err)
			}
		}
		for range connections - 1 {
			select {
			case <-taken:
			case <-ctx.Done():
				t.Fatalf("message %d did not reach all peers", n)
			}
		}
	}
	receivers.Wait()
	if most := broadcasts * 3 / 4; runtime.GOOS == "linux" && refused < most {
		t.Errorf("the deaf peer's connection refused %d of %d messages, want at least %d", refused, broadcasts, most)
	}
}
