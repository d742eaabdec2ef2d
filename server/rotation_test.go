//go:build !js

package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// pipeListener is a net.Listener whose connections are in memory, so they use the time of a
// bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "@", Net: "unix"} }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	c, s := net.Pipe()
	select {
	case l.conns <- s:
		return c, nil
	case <-l.closed:
		return nil, io.ErrClosedPipe
	}
}

// inMemory serves h in a bubble and returns a function that connects to it.
func inMemory(t *testing.T, h http.Handler) (dial func() *ws.Conn) {
	l := newPipeListener()
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return func() *ws.Conn {
		conn, err := isosocket.Dial(t.Context(), "ws://host/", &isosocket.DialOptions{
			PingInterval: -1,
			Native:       &isosocket.NativeOptions{DialContext: l.dial},
		})
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
}

func TestMaxLifetime(t *testing.T) {
	t.Parallel()
	const longest, n = 40 * time.Minute, 200
	for name, test := range map[string]struct {
		serve func(ctx context.Context, conn *Conn) error
		later time.Duration // how long after its lifetime a connection ends
		last  string        // the last message
	}{
		"a function that waits": {func(ctx context.Context, conn *Conn) error {
			<-ctx.Done()
			conn.Send(context.Background(), ws.Text("last words"))
			if cause, ok := errors.AsType[*errors.ConnectionClosed](context.Cause(ctx)); !ok || cause.Reason != errors.ServiceRestart {
				return context.Cause(ctx)
			}
			return nil
		}, 0, "last words"},
		"a function that receives": {func(ctx context.Context, conn *Conn) error {
			_, err := conn.Receive(ctx)
			return err
		}, 0, ""},
		"a function that does not look": {func(ctx context.Context, conn *Conn) error {
			_, err := conn.Receive(context.Background())
			return err
		}, rotationGrace, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := Handler(test.serve, &Options{Limits: &Limits{MaxLifetime: longest}, PingInterval: -1})
				dial := inMemory(t, e)
				var clients sync.WaitGroup
				var mu sync.Mutex
				quarters := [4]int{} // of the time in which they end
				for range n {
					conn := dial()
					began := time.Now()
					clients.Go(func() {
						last := ""
						for {
							m, err := conn.Receive(context.Background())
							if err == nil {
								last = m.String()
								continue
							}
							closed, _ := errors.AsType[*errors.ConnectionClosed](err)
							if closed == nil || closed.Reason != errors.ServiceRestart || closed.Message != "connection lifetime over" || !closed.Remote {
								t.Errorf("the client sees %v", err)
							}
							break
						}
						if last != test.last {
							t.Errorf("the last message is %q, want %q", last, test.last)
						}
						spread := time.Since(began) - test.later - longest*3/4
						if spread < 0 || spread > longest/4 {
							t.Errorf("a connection lasted %v", time.Since(began))
							spread = 0
						}
						conn.Close(errors.NormalClosure, "")
						mu.Lock()
						defer mu.Unlock()
						quarters[min(spread*4/(longest/4), 3)]++
					})
				}
				clients.Wait()
				for i, ended := range quarters {
					if ended < n/8 {
						t.Errorf("%d connections of %d ended in quarter %d of the time: they are not spread", ended, n, i)
					}
				}
				if got, want := e.limits.counts(), map[Limit]uint64{LimitLifetime: n}; !reflect.DeepEqual(got, want) {
					t.Errorf("the limits reached are %v, want %v", got, want)
				}
				if err := e.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestLifetimeOfAConnectionThatEndsBefore: no limit is counted, and no timer retains the
// connection.
func TestLifetimeOfAConnectionThatEndsBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := Handler(func(ctx context.Context, conn *Conn) error { return nil }, &Options{Limits: &Limits{MaxLifetime: time.Minute}})
		dial := inMemory(t, e)
		conn := dial()
		if _, err := conn.Receive(context.Background()); !errors.Is(err, errors.NormalClosure) {
			t.Errorf("the client sees %v", err)
		}
		conn.Close(errors.NormalClosure, "")
		time.Sleep(time.Hour)
		if got := e.limits.counts(); len(got) > 0 {
			t.Errorf("the limits reached are %v", got)
		}
	})
}

func TestLimitsOfAccept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits Limits
		reason errors.CloseReason
	}{
		"MaxLifetime": {Limits{MaxLifetime: time.Minute}, errors.ServiceRestart},
		"IdleTimeout": {Limits{IdleTimeout: time.Minute}, errors.GoingAway},
		"MessageRate": {Limits{MessageRate: 1, CloseAboveRate: true}, errors.PolicyViolation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				served := make(chan struct{})
				dial := inMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(served)
					conn, err := Accept(w, r, &Options{Limits: &test.limits, PingInterval: -1})
					if err != nil {
						t.Error(err)
						return
					}
					for range conn.Messages(context.Background()) {
					}
					if !errors.Is(conn.Err(), test.reason) {
						t.Errorf("the server sees %v", conn.Err())
					}
					conn.Close(errors.NormalClosure, "")
				}))
				conn := dial()
				if test.reason == errors.PolicyViolation {
					for range rateBurst + 2 {
						conn.Send(context.Background(), ws.Text("x"))
					}
				}
				if _, err := conn.Receive(context.Background()); !errors.Is(err, test.reason) {
					t.Errorf("the client sees %v, want %v", err, test.reason)
				}
				conn.Close(errors.NormalClosure, "")
				<-served
			})
		})
	}
}

// TestLimitsOfAConnection: each limit is counted, and the client gets the reason.
func TestLimitsOfAConnection(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		limits  Limits
		message []byte // sent by the client repeatedly
		reached Limit
		reason  errors.CloseReason // 0 if the connection continues
		text    string
	}{
		"messages slowly":     {Limits{MessageRate: 2}, []byte("x"), LimitMessageRate, 0, ""},
		"bytes slowly":        {Limits{ByteRate: 2000}, make([]byte, 1000), LimitByteRate, 0, ""},
		"messages at an end":  {Limits{MessageRate: 2, CloseAboveRate: true}, []byte("x"), LimitMessageRate, errors.PolicyViolation, "more than 2 messages a second, which is the limit"},
		"bytes at an end":     {Limits{ByteRate: 2000, CloseAboveRate: true}, make([]byte, 1000), LimitByteRate, errors.PolicyViolation, "more than 2000 bytes a second, which is the limit"},
		"no message":          {Limits{IdleTimeout: time.Minute}, nil, LimitIdle, errors.GoingAway, "no message for 1m0s"},
		"a number for others": {Limits{MessageRate: 2, ByteRate: -1}, []byte("x"), LimitMessageRate, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 30
				e := Handler(func(ctx context.Context, conn *Conn) error {
					for m, err := range conn.Messages(ctx) {
						if err != nil {
							return err
						}
						if err := conn.Send(ctx, m); err != nil {
							return err
						}
					}
					return nil
				}, &Options{Limits: &test.limits, PingInterval: -1})
				conn := inMemory(t, e)()
				begin := time.Now()
				if test.message != nil {
					for range n {
						conn.Send(context.Background(), ws.Binary(test.message))
					}
				}
				answers := 0
				for answers < n {
					_, err := conn.Receive(context.Background())
					if err != nil {
						closed, _ := errors.AsType[*errors.ConnectionClosed](err)
						if closed == nil || closed.Reason != test.reason || closed.Message != test.text || !closed.Remote {
							t.Errorf("the client sees %v", err)
						}
						break
					}
					answers++
				}
				if test.reason == 0 {
					if d := time.Since(begin); d < 9*time.Second || d > 11*time.Second {
						t.Errorf("%d messages took %v, want 10 s", n, d)
					}
				}
				conn.Close(errors.NormalClosure, "")
				if err := e.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				if got := e.limits.counts(); got[test.reached] == 0 || len(got) != 1 {
					t.Errorf("the limits reached are %v", got)
				}
			})
		})
	}
}

func TestDefaultsOfAConnection(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name            string
		limits          *Limits
		remote          string
		forwarded       bool
		messages, bytes int
	}{
		{"the Internet", nil, "203.0.113.7:1", false, DefaultMessageRate, DefaultByteRate},
		{"this machine", nil, "127.0.0.1:1", false, 0, 0},
		{"a proxy on this machine", nil, "127.0.0.1:1", true, DefaultMessageRate, DefaultByteRate},
		{"numbers for this machine", &Limits{MessageRate: 3, ByteRate: 4}, "127.0.0.1:1", false, 3, 4},
		{"no limit", &Limits{MessageRate: -1, ByteRate: -1}, "203.0.113.7:1", false, 0, 0},
	} {
		l, err := newLimiter(test.limits)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{}}
		if test.forwarded {
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
		}
		if got := l.ofStream(r); got.Messages != test.messages || got.Bytes != test.bytes || got.Idle != 0 || got.Close {
			t.Errorf("%s: the limits are %+v", test.name, got)
		}
	}
}
