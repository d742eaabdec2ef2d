package stream

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
	"github.com/isosocket/isosocket/ws"
)

// watcher is a context that records which limits were reached.
type watcher struct {
	context.Context
	mu      sync.Mutex
	reached map[Limit]int
}

func newWatcher() *watcher {
	return &watcher{Context: context.Background(), reached: map[Limit]int{}}
}

func (w *watcher) LimitStruck(l Limit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reached[l]++
}

func (w *watcher) count(l Limit) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reached[l]
}

// flood writes frame repeatedly without end.
func flood(w io.Writer, frame []byte) {
	many := bytes.Repeat(frame, max(1, 4096/len(frame)))
	for {
		if _, err := w.Write(many); err != nil {
			return
		}
	}
}

// TestRateSlowsDown: in a minute, exactly the rate and the accumulated allowance are received,
// and the connection stays open.
func TestRateSlowsDown(t *testing.T) {
	compressed := rfc6455.DeflateParams{ServerNoContextTakeover: true, ClientNoContextTakeover: true}
	for _, test := range []struct {
		name    string
		limits  Limits
		deflate *rfc6455.DeflateParams
		size    int     // of a message
		most    float64 // messages in a minute
		slack   float64 // more, for the messages of one read
		limit   Limit
	}{
		{"messages", Limits{Messages: 20}, nil, 10, 20 * 65, 1, LimitMessageRate},
		{"many messages", Limits{Messages: 1000}, nil, 0, 1000 * 65, 1000/rateBatches + 1, LimitMessageRate},
		{"one message a second", Limits{Messages: 1}, nil, 200, 65, 1, LimitMessageRate},
		{"bytes", Limits{Bytes: 10_000}, nil, 92, 10_000 * 65 / 98, (otherInputSize + 625) / 98, LimitByteRate},
		{"bytes of large messages", Limits{Bytes: 100_000}, nil, 50_000, 100_000 * 65 / 50_008, 3, LimitByteRate},
		{"inflated bytes", Limits{Bytes: 100_000}, &compressed, 50_000, 100_000 * 65 / 50_060, 3, LimitByteRate},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := net.Pipe()
				w := newWatcher()
				conn := ws.NewConn(New(s, Options{Role: rfc6455.Server, Limits: test.limits, EndsWith: w, Deflate: test.deflate}), nil)
				message := frame(0x82, true, make([]byte, test.size))
				if test.deflate != nil {
					var e rfc6455.Encoder
					e.Init(rfc6455.Client, test.deflate, rfc6455.DeflatePolicy{Level: 1})
					message, _ = e.AppendMessage(nil, rfc6455.OpBinary, make([]byte, test.size))
					if len(message) > 1000 {
						t.Fatalf("the message has %d bytes", len(message))
					}
				}
				go io.Copy(io.Discard, c)
				go flood(c, message)
				begin, n := time.Now(), 0.0
				for {
					m, err := conn.Receive(w)
					if err != nil || len(m.Data) != test.size {
						t.Fatalf("received %d bytes and %v", len(m.Data), err)
					}
					if time.Since(begin) > time.Minute {
						break
					}
					n++
				}
				if n > test.most+test.slack || n < test.most*0.97-test.slack {
					t.Errorf("received %v messages in a minute, want %v and at most %v more", n, test.most, test.slack)
				}
				if w.count(test.limit) == 0 || len(w.reached) != 1 {
					t.Errorf("reached were %v", w.reached)
				}
				c.Close()
				conn.Close(errors.NormalClosure, "")
			})
		})
	}
}

// TestRateCloses: the allowed messages are received, and one more ends the connection.
func TestRateCloses(t *testing.T) {
	ping, message := frame(0x89, true, nil), frame(0x81, true, []byte("hello"))
	for _, test := range []struct {
		name    string
		limits  Limits
		frame   []byte
		allowed int // frames at once
		more    int // those that a part of the rate allows in addition
		limit   Limit
		reason  string
	}{
		{"messages", Limits{Messages: 8, Close: true}, message, 40, 0, LimitMessageRate, "more than 8 messages a second, which is the limit"},
		{"many messages", Limits{Messages: 160, Close: true}, message, 800, 10, LimitMessageRate, "more than 160 messages a second, which is the limit"},
		{"pings", Limits{Messages: 8, Close: true}, ping, 40, 0, LimitMessageRate, "more than 8 messages a second, which is the limit"},
		{"pongs", Limits{Messages: 8, Close: true}, frame(0x8A, true, nil), 40, 0, LimitMessageRate, "more than 8 messages a second, which is the limit"},
		{"bytes", Limits{Bytes: 110, Close: true}, message, 50, 0, LimitByteRate, "more than 110 bytes a second, which is the limit"},
	} {
		rateCloses := func(t *testing.T, receive func(context.Context, *ws.Conn) error) {
			synctest.Test(t, func(t *testing.T) {
				c, s := net.Pipe()
				w := newWatcher()
				conn := ws.NewConn(New(s, Options{Role: rfc6455.Server, Limits: test.limits, EndsWith: w}), nil)
				received := make(chan int)
				go func() {
					n := 0
					for {
						if err := receive(w, conn); err != nil {
							received <- n
							return
						}
						n++
					}
				}()
				var answers bytes.Buffer
				answered := make(chan struct{})
				go func() {
					io.Copy(&answers, c)
					close(answered)
				}()
				for range 3 { // the allowance accumulates again
					for range test.allowed {
						write(t, c, test.frame)
					}
					synctest.Wait()
					if conn.Err() != nil {
						t.Errorf("the connection ended with %v", conn.Err())
					}
					time.Sleep(RateBurst * time.Second)
				}
				for range test.allowed {
					write(t, c, test.frame)
				}
				synctest.Wait()
				if conn.Err() != nil {
					t.Errorf("the connection ended with %v", conn.Err())
				}
				for more := 0; conn.Err() == nil; more++ {
					if more > test.more {
						t.Errorf("%d more frames did not end the connection", more)
						break
					}
					write(t, c, test.frame)
					synctest.Wait()
				}
				mustEnd(t, conn, errors.PolicyViolation, test.reason, false)
				if w.count(test.limit) != 1 || len(w.reached) != 1 {
					t.Errorf("reached were %v", w.reached)
				}
				c.SetReadDeadline(time.Now().Add(time.Second))
				<-answered
				if !strings.Contains(answers.String(), test.reason) {
					t.Errorf("the peer received %q", answers.String())
				}
				c.Close()
				conn.Close(errors.NormalClosure, "")
				if n := <-received; test.frame[0] == 0x81 && n < 4*test.allowed {
					t.Errorf("received %d messages", n)
				}
			})
		}
		t.Run(test.name, func(t *testing.T) { rateCloses(t, receiveWhole) })
		t.Run(test.name+" in parts", func(t *testing.T) { rateCloses(t, receiveInParts) })
	}
}

func receiveWhole(ctx context.Context, conn *ws.Conn) error {
	_, err := conn.Receive(ctx)
	return err
}

func receiveInParts(ctx context.Context, conn *ws.Conn) error {
	_, r, err := conn.NextReader(ctx)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	return err
}

// TestInflatedBytesAreCounted: the limit of bytes is also one of what they inflate to.
func TestInflatedBytesAreCounted(t *testing.T) {
	params := &rfc6455.DeflateParams{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	var e rfc6455.Encoder
	e.Init(rfc6455.Client, params, rfc6455.DeflatePolicy{Threshold: -1})
	small, err := e.AppendMessage(nil, rfc6455.OpBinary, make([]byte, 100_000))
	if err != nil || len(small) > 1000 {
		t.Fatalf("the frame has %d bytes, %v", len(small), err)
	}
	for name, receive := range map[string]func(context.Context, *ws.Conn) error{"whole": receiveWhole, "in parts": receiveInParts} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := net.Pipe()
				w := newWatcher()
				conn := ws.NewConn(New(s, Options{Role: rfc6455.Server, Deflate: params, Limits: Limits{Bytes: 1000, Close: true}, EndsWith: w}), nil)
				go io.Copy(io.Discard, c)
				write(t, c, small)
				if err := receive(t.Context(), conn); !errors.Is(err, errors.PolicyViolation) {
					t.Errorf("received with %v, want 1008", err)
				}
				if w.count(LimitByteRate) != 1 || len(w.reached) != 1 {
					t.Errorf("reached were %v", w.reached)
				}
				c.Close()
				conn.Close(errors.NormalClosure, "")
			})
		})
	}
}

// TestPause: while reading is paused, all other operations work as usual.
func TestPause(t *testing.T) {
	for name, act := range map[string]func(t *testing.T, c net.Conn, transport *Transport, conn *ws.Conn){
		"a context ends": func(t *testing.T, c net.Conn, transport *Transport, conn *ws.Conn) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			begin := time.Now()
			if _, err := conn.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
				t.Errorf("Receive returned %v after %v", err, time.Since(begin))
			}
		},
		"TryReceive": func(t *testing.T, c net.Conn, transport *Transport, conn *ws.Conn) {
			if _, ok, err := transport.TryReceive(nil); ok || err != nil {
				t.Errorf("TryReceive returned %v, %v", ok, err)
			}
		},
		"Send": func(t *testing.T, c net.Conn, transport *Transport, conn *ws.Conn) {
			if err := conn.Send(context.Background(), ws.Text("x")); err != nil {
				t.Error(err)
			}
			if err := conn.Flush(context.Background()); err != nil {
				t.Error(err)
			}
		},
		"the peer is alive": func(t *testing.T, c net.Conn, transport *Transport, conn *ws.Conn) {
			time.Sleep(50 * time.Second) // three times the limit of a silent peer
			if err := conn.Err(); err != nil {
				t.Errorf("the connection ended with %v", err)
			}
		},
		"Fail": func(t *testing.T, c net.Conn, transport *Transport, conn *ws.Conn) {
			conn.CloseNow(4000, "now")
			begin := time.Now()
			_, err := conn.Receive(context.Background())
			if !errors.Is(err, errors.CloseReason(4000)) || time.Since(begin) != 0 {
				t.Errorf("Receive returned %v after %v", err, time.Since(begin))
			}
		},
		"Close during a Receive": func(t *testing.T, c net.Conn, transport *Transport, conn *ws.Conn) {
			ended := make(chan error)
			go func() {
				_, err := conn.Receive(context.Background())
				ended <- err
			}()
			synctest.Wait()
			begin := time.Now()
			conn.Close(4000, "close")
			if err := <-ended; !errors.Is(err, errors.CloseReason(4000)) || time.Since(begin) > ws.DefaultCloseTimeout {
				t.Errorf("Receive returned %v after %v", err, time.Since(begin))
			}
		},
		"the stream breaks in a write": func(t *testing.T, c net.Conn, transport *Transport, conn *ws.Conn) {
			c.Close()
			conn.Send(context.Background(), ws.Text("x"))
			begin := time.Now()
			if _, err := conn.Receive(context.Background()); !errors.Is(err, errors.AbnormalClosure) || time.Since(begin) > 2*lastWords {
				t.Errorf("Receive returned %v after %v", err, time.Since(begin))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := net.Pipe()
				defer c.Close()
				go io.Copy(io.Discard, c)
				transport := New(s, Options{
					Role: rfc6455.Server, Limits: Limits{Bytes: 100},
					PingInterval: 10 * time.Second, PingTimeout: 5 * time.Second,
				})
				conn := ws.NewConn(transport, nil)
				go c.Write(bytes.Repeat(frame(0x82, true, make([]byte, 10_000)), 5)) // takes 500 s
				if _, err := conn.Receive(context.Background()); err != nil {
					t.Fatal(err)
				}
				act(t, c, transport, conn)
				conn.CloseNow(errors.NormalClosure, "")
				c.Close()
				transport.closed.Wait()
			})
		})
	}
}

// TestPauseWithoutDeadlines is TestPause for a stream that a permanent background reader reads.
func TestPauseWithoutDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		go io.Copy(io.Discard, c)
		transport := New(struct{ io.ReadWriteCloser }{s}, Options{Role: rfc6455.Server, Limits: Limits{Messages: 1}})
		conn := ws.NewConn(transport, nil)
		go flood(c, frame(0x81, true, []byte("x")))
		begin := time.Now()
		for range RateBurst + 10 {
			if _, err := conn.Receive(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(begin); d < 9*time.Second || d > 11*time.Second {
			t.Errorf("15 messages took %v", d)
		}
		conn.Close(errors.NormalClosure, "")
		transport.closed.Wait()
		c.Close()
	})
}

func TestIdle(t *testing.T) {
	const idle = time.Minute
	for name, act := range map[string]struct {
		during func(c net.Conn, conn *ws.Conn) // for five minutes
		ends   bool
	}{
		"nothing": {func(net.Conn, *ws.Conn) { time.Sleep(idle * 5) }, true},
		"pings": {func(c net.Conn, conn *ws.Conn) {
			for range 50 {
				c.Write(frame(0x89, true, nil))
				time.Sleep(idle / 10)
			}
		}, true},
		"the peer sends": {func(c net.Conn, conn *ws.Conn) {
			for range 6 {
				time.Sleep(idle * 5 / 6)
				c.Write(frame(0x81, true, []byte("hello")))
				synctest.Wait()
			}
		}, false},
		"this side sends": {func(c net.Conn, conn *ws.Conn) {
			for range 6 {
				time.Sleep(idle * 5 / 6)
				conn.Send(context.Background(), ws.Text("hello"))
				synctest.Wait()
			}
		}, false},
		"a broadcast": {func(c net.Conn, conn *ws.Conn) {
			for range 6 {
				time.Sleep(idle * 5 / 6)
				conn.SendPrepared(context.Background(), ws.Prepare(ws.Text("hello")))
				synctest.Wait()
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := net.Pipe()
				defer c.Close()
				go io.Copy(io.Discard, c)
				w := newWatcher()
				conn := ws.NewConn(New(s, Options{Role: rfc6455.Server, Limits: Limits{Idle: idle}, EndsWith: w, Flushers: new(Flushers)}), nil)
				begin, ended := time.Now(), make(chan time.Time, 1)
				go func() {
					for range conn.Messages(context.Background()) {
					}
					ended <- time.Now()
				}()
				act.during(c, conn)
				if err := conn.Err(); (err != nil) != act.ends {
					t.Errorf("later the end is %v", err)
				}
				if !act.ends { // no more messages arrive
					begin = time.Now()
					time.Sleep(2 * idle)
				}
				if d := (<-ended).Sub(begin); d < idle*5/6 || d > idle*9/8 {
					t.Errorf("the connection ended after %v, want %v and at most an eighth more", d, idle)
				}
				mustEnd(t, conn, errors.GoingAway, "no message for 1m0s", false)
				if w.count(LimitIdle) != 1 || len(w.reached) != 1 {
					t.Errorf("reached were %v", w.reached)
				}
				conn.Close(errors.NormalClosure, "")
			})
		})
	}
}

// TestIdleStopsWithTheConnection: after the end, no timer checks for messages.
func TestIdleStopsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := net.Pipe()
		w := newWatcher()
		transport := New(s, Options{Role: rfc6455.Server, Limits: Limits{Idle: time.Minute}, EndsWith: w})
		c.Close()
		if _, err := transport.Receive(w, nil); err == nil {
			t.Error("received a message")
		}
		transport.closed.Wait()
		time.Sleep(time.Hour)
		if len(w.reached) > 0 || transport.intake.looker != nil {
			t.Errorf("reached were %v after the end", w.reached)
		}
	})
}

// endless is a stream in memory of frames without end.
type endless struct {
	net.Conn
	frames []byte
}

func (e *endless) Read(p []byte) (int, error)        { return copy(p, e.frames), nil }
func (e *endless) Write(p []byte) (int, error)       { return len(p), nil }
func (e *endless) SetReadDeadline(t time.Time) error { return nil }
func (e *endless) Close() error                      { return nil }

// BenchmarkIntake measures the cost of the limits for each received message, without any system
// call.
func BenchmarkIntake(b *testing.B) {
	one := frame(0x82, true, make([]byte, 26)) // 32 bytes; a read returns only complete ones
	for _, test := range []struct {
		name   string
		limits Limits
	}{{"off", Limits{}}, {"on", Limits{Messages: 1 << 28, Bytes: 1 << 28}}} {
		b.Run(test.name, func(b *testing.B) {
			transport := New(&endless{frames: bytes.Repeat(one, 1<<10)}, Options{Role: rfc6455.Server, Limits: test.limits})
			defer transport.release()
			buf, ctx := make([]byte, 0, 64), context.Background()
			for b.Loop() {
				if m, err := transport.Receive(ctx, buf); err != nil || len(m.Data) != 26 {
					b.Fatal(len(m.Data), err)
				}
			}
		})
	}
}
