//go:build !js

package hub_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

// serve returns the URL of an endpoint whose connections join a topic.
func serve(t *testing.T, h *hub.Hub, topic string, joined *sync.WaitGroup, o *server.Options) string {
	t.Helper()
	e := server.Handler(func(ctx context.Context, conn *server.Conn) error {
		_, err := h.Join(ctx, topic, conn.Conn, nil)
		joined.Done()
		if err != nil {
			return err
		}
		_, err = conn.Receive(ctx)
		return err
	}, o)
	s := httptest.NewServer(e)
	t.Cleanup(func() {
		e.Shutdown(context.Background())
		s.Close()
	})
	return s.URL
}

// TestOverTheNetwork runs healthy clients, with and without compression, and one that does
// not read for a long time, over TCP.
func TestOverTheNetwork(t *testing.T) {
	const clients, messages = 10, 2000
	h := newHub(t, &hub.Options{Rules: func(string) hub.Rules { return hub.Rules{History: messages} }})
	var joined sync.WaitGroup
	joined.Add(clients + 1)
	var mu sync.Mutex
	url := serve(t, h, "t", &joined, &server.Options{Compression: &ws.Compression{}})
	dial := func(o *isosocket.DialOptions) *ws.Conn {
		conn, err := isosocket.Dial(t.Context(), url, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(errors.NormalClosure, "") })
		return conn
	}
	text := func(i int) string { return fmt.Sprintf("%06d %s", i, strings.Repeat("abcdefgh", 250)) }
	var readers sync.WaitGroup
	read := func(conn *ws.Conn) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i := range messages {
			m, err := conn.Receive(ctx)
			if err != nil {
				return fmt.Errorf("message %d: %w", i, err)
			}
			if m.String() != text(i) {
				return fmt.Errorf("message %d is %.20q", i, m)
			}
		}
		return nil
	}
	var failed []error
	for i := range clients {
		o := &isosocket.DialOptions{}
		if i%2 == 0 {
			o.Compression = &ws.Compression{}
		}
		conn := dial(o)
		readers.Go(func() {
			if err := read(conn); err != nil {
				mu.Lock()
				failed = append(failed, err)
				mu.Unlock()
			}
		})
	}
	// Its own buffer is small, so the server soon notices that it does not read.
	slow := dial(&isosocket.DialOptions{ReceiveBuffer: 1})
	joined.Wait()
	for i := range messages {
		publish(t, h, "t", text(i))
	}
	readers.Wait()
	for _, err := range failed {
		t.Error(err)
	}
	eventually(t, "the healthy members are up to date", func() bool { return h.Stats().Behind <= 1 })
	if s := h.Stats(); s.Slow == 0 || s.Behind != 1 || s.Disconnected != 0 || s.Gaps != 0 {
		t.Errorf("before the slow one reads: %+v", s)
	}
	if err := read(slow); err != nil {
		t.Errorf("the slow one: %v", err)
	}
	eventually(t, "all are up to date", func() bool { return h.Stats().Behind == 0 })
	if s := h.Stats(); s.Gaps != 0 || s.Disconnected != 0 || s.Delivered != (clients+1)*messages {
		t.Errorf("at the end: %+v", s)
	}
}

// BenchmarkPublish publishes to members that read at once.
func BenchmarkPublish(b *testing.B) {
	for _, members := range []int{1, 10, 1000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			h, err := hub.New(nil)
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close(context.Background())
			for range members {
				conn, client := ws.Pipe(nil, nil)
				defer client.CloseNow(errors.NormalClosure, "")
				if _, err := h.Join(b.Context(), "t", conn, nil); err != nil {
					b.Fatal(err)
				}
				go func() {
					var buf []byte
					for {
						m, err := client.ReceiveInto(context.Background(), buf)
						if err != nil {
							return
						}
						buf = m.Data
					}
				}()
			}
			m := ws.Text(strings.Repeat("x", 100))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Publish(b.Context(), "t", m, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/delivery")
		})
	}
}
