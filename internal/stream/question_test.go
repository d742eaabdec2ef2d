//go:build !js

package stream

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

func TestPing(t *testing.T) {
	onEveryStream(t, func(t *testing.T, c, s io.ReadWriteCloser) {
		client, server := connect(t, rfc6455.Client, c, Options{}), connect(t, rfc6455.Server, s, Options{PingInterval: time.Hour})
		for _, conn := range []*ws.Conn{client, server} {
			took, err := conn.Native().Ping(within(t))
			if err != nil || took <= 0 || took > slack {
				t.Errorf("Ping = %v, %v", took, err)
			}
			if conn.Latency() != took {
				t.Errorf("Latency = %v after a Ping of %v", conn.Latency(), took)
			}
		}
		// With messages in both directions, and from many goroutines.
		var echo sync.WaitGroup
		echo.Go(func() {
			for {
				m, err := server.Receive(context.Background())
				if err != nil {
					return
				}
				server.Send(context.Background(), m)
			}
		})
		var pings sync.WaitGroup
		for range 50 {
			for _, conn := range []*ws.Conn{client, server} {
				pings.Go(func() {
					if _, err := conn.Native().Ping(within(t)); err != nil {
						t.Errorf("one of many: %v", err)
					}
				})
			}
			sendOrReport(t, client, ws.Text("beside"))
			mustReceive(t, client, "beside")
		}
		pings.Wait()
		if _, err := client.Native().Ping(endedContext()); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
		client.Close(errors.NormalClosure, "")
		echo.Wait()
		for _, conn := range []*ws.Conn{client, server} {
			if _, err := conn.Native().Ping(within(t)); err == nil || err != conn.Err() {
				t.Errorf("after the end: %v, want %v", err, conn.Err())
			}
		}
	})
}

func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// questions returns how many calls of Ping wait.
func questions(tr *Transport) (n int) {
	tr.timers.Lock()
	defer tr.timers.Unlock()
	for q := tr.asked; q != nil; q = q.next {
		n++
	}
	return n
}

// pingAll starts n calls of Ping and returns a channel of their errors.
func pingAll(ctx context.Context, tr *Transport, n int) <-chan error {
	results := make(chan error, n)
	for range n {
		go func() {
			_, err := tr.Ping(ctx)
			results <- err
		}()
	}
	return results
}

// A peer may answer only the last ping.
func TestPingsAnsweredTogether(t *testing.T) {
	c, s := tcpPair(t)
	tr := New(s, Options{Role: rfc6455.Server})
	defer func() { c.Close(); tr.Close(within(t), errors.NormalClosure, "") }()
	results := pingAll(within(t), tr, 3)
	var last []byte
	for range 3 {
		first, payload := readFrame(t, c)
		if first != 0x89 || len(payload) != 8 {
			t.Fatalf("frame %#x of %d bytes, want a ping of 8", first, len(payload))
		}
		if last == nil || binary.BigEndian.Uint64(payload) > binary.BigEndian.Uint64(last) {
			last = payload
		}
	}
	// None of these answers a ping.
	future := binary.BigEndian.AppendUint64(nil, 1<<62)
	for _, payload := range [][]byte{nil, []byte("unasked"), make([]byte, 8), future, make([]byte, 125)} {
		write(t, c, frame(0x8a, true, payload))
	}
	select {
	case err := <-results:
		t.Fatalf("a Ping returned before its pong: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	write(t, c, frame(0x8a, true, last), frame(0x8a, true, last))
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := questions(tr); n != 0 {
		t.Errorf("%d questions remain", n)
	}
}

func TestPingContext(t *testing.T) {
	c, s := tcpPair(t)
	tr := New(s, Options{Role: rfc6455.Server})
	conn := ws.NewConn(tr, nil)
	defer func() { c.Close(); conn.Close(errors.NormalClosure, "") }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan error, 1)
	go func() {
		_, err := conn.Native().Ping(ctx)
		asked <- err
	}()
	_, payload := readFrame(t, c)
	cancel()
	if err := <-asked; !errors.Is(err, context.Canceled) {
		t.Errorf("without an answer: %v", err)
	}
	if n := questions(tr); n != 0 || conn.Err() != nil {
		t.Errorf("%d questions remain; Err = %v", n, conn.Err())
	}
	write(t, c, frame(0x8a, true, payload)) // too late, and harmless
	done := make(chan error, 1)
	go func() {
		_, err := conn.Native().Ping(context.Background())
		done <- err
	}()
	readFrame(t, c)
	c.Close()
	if err := <-done; err == nil || err != conn.Err() {
		t.Errorf("lost while waiting: %v, Err = %v", err, conn.Err())
	}
}

// A local Close makes a waiting Ping return.
func TestCloseEndsPing(t *testing.T) {
	c, s := tcpPair(t)
	tr := New(s, Options{Role: rfc6455.Server})
	conn := ws.NewConn(tr, nil)
	defer c.Close()
	done := make(chan error, 1)
	go func() {
		_, err := conn.Native().Ping(context.Background())
		done <- err
	}()
	readFrame(t, c)
	conn.CloseNow(errors.GoingAway, "")
	if err := <-done; !errors.Is(err, errors.GoingAway) {
		t.Error(err)
	}
}

// Ping waits for space while the queue of control frames is full.
func TestPingsBehindAPeerThatDoesNotRead(t *testing.T) {
	c, s := net.Pipe() // has no buffer
	tr := New(s, Options{Role: rfc6455.Server, Config: ws.Config{SendBuffer: 16 << 20, MaxMessageSize: -1}})
	server := ws.NewConn(tr, nil)
	defer func() { c.Close(); server.Close(errors.NormalClosure, "") }()
	if err := server.Send(within(t), ws.Binary(make([]byte, 1<<20))); err != nil {
		t.Fatal(err)
	}
	const n = 3 * maxControl / 10
	ctx, cancel := context.WithCancel(within(t))
	given := pingAll(ctx, tr, n)
	for questions(tr) < maxControl/10 { // the queue is full
		runtime.Gosched()
	}
	cancel()
	for range n {
		if err := <-given; !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
	}
	patient := pingAll(within(t), tr, n)
	client := connect(t, rfc6455.Client, c, Options{Config: ws.Config{MaxMessageSize: -1}})
	if m, err := client.Receive(within(t)); err != nil || len(m.Data) != 1<<20 {
		t.Fatalf("%d bytes, %v", len(m.Data), err)
	}
	for range n {
		if err := <-patient; err != nil {
			t.Errorf("after the peer began to read: %v", err)
		}
	}
}
