//go:build !js

package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/ws"
)

// offer connects with an offer of compression. It returns the connection, the status and
// the agreed extension.
func offer(t *testing.T, l *pipeListener) (c net.Conn, status int, agreed string) {
	t.Helper()
	c, err := l.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: host\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, response.StatusCode, response.Header.Get("Sec-WebSocket-Extensions")
}

func TestMaxMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const message = 50_000
		receive := make(chan struct{})
		e := Handler(func(ctx context.Context, conn *Conn) error {
			<-receive
			for range conn.Messages(ctx) {
			}
			return nil
		}, &Options{
			Compression:  &ws.Compression{},
			Limits:       &Limits{MaxMemory: 4 * message},
			PingInterval: -1,
			MaxFragments: 10,
		})
		l := newPipeListener()
		s := &http.Server{Handler: e}
		go s.Serve(l)
		defer s.Close()

		frame := append([]byte{0x82, 0x80 | 126, message >> 8, message & 0xFF, 0, 0, 0, 0}, make([]byte, message)...)
		// Messages queue up one after the other.
		for i, want := range []struct {
			status int
			agreed string
		}{
			{101, "permessage-deflate"}, {101, "permessage-deflate"}, {101, "permessage-deflate"},
			{101, ""}, // three messages are held
			{503, ""}, // four
		} {
			c, status, agreed := offer(t, l)
			if want.agreed != "" {
				want.agreed += "; server_no_context_takeover"
			}
			if status != want.status || agreed != want.agreed {
				t.Errorf("connection %d has the status %d and %q, want %d and %q", i, status, agreed, want.status, want.agreed)
			}
			defer c.Close()
			if status == 101 {
				go c.Write(frame)
			}
			time.Sleep(time.Second)
		}
		if got, want := e.limits.counts(), (map[Limit]uint64{LimitCompression: 1, LimitMemory: 1}); !reflect.DeepEqual(got, want) {
			t.Errorf("the limits reached are %v, want %v", got, want)
		}
		close(receive)
		time.Sleep(time.Second)
		c, status, agreed := offer(t, l)
		if status != 101 || agreed == "" {
			t.Errorf("after all messages were received, the status is %d and the agreement %q", status, agreed)
		}
		c.Close()
		s.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		e.Drain(ctx, nil)
		time.Sleep(time.Minute)
	})
}

// TestMemoryIsMeasuredSeldom: not each handshake measures the memory.
func TestMemoryIsMeasuredSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := Handler(nil, nil)
		e.memory.bytes = 1 << 40
		e.memory.next = time.Now().Add(measureEvery)
		for range 10 {
			if e.pressure() != full {
				t.Fatal("the memory was measured too soon")
			}
			time.Sleep(measureEvery / 11)
		}
		time.Sleep(measureEvery)
		if e.pressure() != roomy {
			t.Error("the memory was not measured again")
		}
	})
}

func TestDefaultOfMaxMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	for _, test := range []struct{ process, want int64 }{
		{1 << 62, 1 << 30}, {3 << 30, 1 << 30}, {600 << 20, 300 << 20},
	} {
		debug.SetMemoryLimit(test.process)
		if l, _ := newLimiter(nil); l.maxMemory != test.want {
			t.Errorf("with a limit of %d for the process the default is %d, want %d", test.process, l.maxMemory, test.want)
		}
	}
	if l, _ := newLimiter(&Limits{MaxMemory: -1}); l.maxMemory != 0 {
		t.Errorf("-1 is a limit of %d", l.maxMemory)
	}
}
