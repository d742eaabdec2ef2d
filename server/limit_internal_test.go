//go:build !js

package server

import (
	"context"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/isosocket/isosocket/errors"
)

func TestLimitsCountForManyGoroutines(t *testing.T) {
	t.Parallel()
	var l limits
	if got := l.counts(); len(got) != 0 {
		t.Errorf("at first the counts are %v, want none", got)
	}
	var striking sync.WaitGroup
	for range 8 {
		striking.Go(func() {
			for range 100 {
				l.struck(LimitFragments)
				l.counts()
			}
			l.struck(LimitMessageSize)
		})
	}
	striking.Wait()
	if got, want := l.counts(), map[Limit]uint64{LimitFragments: 800, LimitMessageSize: 8}; !reflect.DeepEqual(got, want) {
		t.Errorf("the counts are %v, want %v", got, want)
	}
}

func TestLimitsOfAConnectionAreCounted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limit  Limit
		send   func(ctx context.Context, c *websocket.Conn)
		status websocket.StatusCode
	}{
		{LimitMessageSize, func(ctx context.Context, c *websocket.Conn) {
			c.Write(ctx, websocket.MessageBinary, make([]byte, 101))
		}, websocket.StatusMessageTooBig},
		{LimitFragments, func(ctx context.Context, c *websocket.Conn) {
			w, _ := c.Writer(ctx, websocket.MessageBinary)
			for range 4 {
				w.Write([]byte("x"))
			}
			w.Close()
		}, websocket.StatusPolicyViolation},
	} {
		t.Run(string(test.limit), func(t *testing.T) {
			t.Parallel()
			ended := make(chan error, 1)
			e := Handler(func(ctx context.Context, conn *Conn) error {
				m, err := conn.Receive(ctx) // which is within the limits
				if err != nil || len(m.Data) != 100 {
					t.Errorf("received %d bytes and %v, want 100", len(m.Data), err)
				}
				_, err = conn.Receive(ctx)
				ended <- err
				return err
			}, &Options{MaxMessageSize: 100, MaxFragments: 3})
			s := httptest.NewServer(e)
			t.Cleanup(s.Close)
			c, _, err := websocket.Dial(t.Context(), s.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseNow()
			c.Write(t.Context(), websocket.MessageBinary, make([]byte, 100))
			test.send(t.Context(), c)
			if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != test.status {
				t.Errorf("the peer sees %v, want the status %v", err, test.status)
			}
			if err := <-ended; !errors.Is(err, errors.CloseReason(test.status)) {
				t.Errorf("the function sees %v", err)
			}
			if got, want := e.limits.counts(), map[Limit]uint64{test.limit: 1}; !reflect.DeepEqual(got, want) {
				t.Errorf("the counts are %v, want %v", got, want)
			}
		})
	}
}
