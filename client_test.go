package isosocket

import (
	"context"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// record keeps strings from many goroutines.
type record struct {
	mu  sync.Mutex
	all []string
}

func (r *record) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, s)
}

func (r *record) check(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !equal(r.all, want) {
		t.Errorf("got  %q\nwant %q", r.all, want)
	}
}

// keep serves connections by recording received messages as "number:text".
func (r *record) keep(n int, server *ws.Conn) {
	for m, err := range server.Messages(context.Background()) {
		if err != nil {
			return
		}
		r.add(strconv.Itoa(n) + ":" + m.String())
	}
}

// client returns a Client over n that ends with the test's bubble.
func (n *network) client(o ClientOptions) *Client {
	c := newClient(context.Background(), n.redialer(o.Reconnect), o)
	return c
}

func end(c *Client) {
	c.Close(errors.NormalClosure, "")
	<-c.Done()
	synctest.Wait()
}

// refuseFirst is a network's answer that refuses only the first dial.
func refuseFirst(i int) error {
	if i == 1 {
		return refused(503)
	}
	return nil
}

func sendText(t *testing.T, c *Client, s string) {
	t.Helper()
	if err := c.Send(t.Context(), ws.Text(s)); err != nil {
		t.Fatalf("Send %q: %v", s, err)
	}
}

func receiveText(t *testing.T, c *Client, want string) {
	t.Helper()
	m, err := c.Receive(t.Context())
	if err != nil || m.String() != want {
		t.Fatalf("Receive = %q, %v, want %q", m, err, want)
	}
}

func TestClientSendsAndReceivesAcrossReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.serve = func(i int, server *ws.Conn) {
			m, err := server.Receive(context.Background())
			if err != nil {
				return
			}
			for _, s := range []string{"a", "b"} {
				server.Send(context.Background(), ws.Text(m.String()+s))
			}
			server.Close(errors.ServiceRestart, "")
		}
		c := n.client(ClientOptions{})
		for i := range 5 {
			s := strconv.Itoa(i)
			synctest.Wait()   // until the last connection has ended
			sendText(t, c, s) // waits for the next one
			if i%2 == 0 {
				time.Sleep(time.Second) // the connection ends before anything is received
			}
			receiveText(t, c, s+"a")
			receiveText(t, c, s+"b")
		}
		end(c)
	})
}

func TestClientSendWaitsForConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, got := newNetwork(t), &record{}
		n.answer = func(i int) error {
			if i < 3 {
				return refused(503)
			}
			return nil
		}
		n.serve = got.keep
		c := n.client(ClientOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.Send(ctx, ws.Text("too late"))
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errors.ErrWebSocket) || !strings.Contains(err.Error(), "while waiting, because: websocket: cannot connect: HTTP status 503") {
			t.Errorf("Send = %v, want the deadline and the reason why there is no connection", err)
		}
		if err := c.Send(ctx, ws.Text("far too late")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Send = %v, want the deadline", err)
		}
		if _, err := c.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Receive = %v, want the deadline", err)
		}
		sendText(t, c, "in time")
		if waited := time.Since(n.began); waited != 9*time.Second {
			t.Errorf("sent after %v, want 9s", waited)
		}
		synctest.Wait()
		got.check(t, "3:in time")
		end(c)
	})
}

func TestClientRefusesInvalidMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer = func(int) error { return refused(503) }
		c := n.client(ClientOptions{Outbox: &Outbox{}, Reconnect: &ReconnectOptions{Dial: &DialOptions{MaxMessageSize: 3}}})
		if err := c.Send(t.Context(), ws.Text("long")); !errors.Is(err, errors.ErrMessageTooBig) {
			t.Errorf("Send = %v, want ErrMessageTooBig", err)
		}
		if err := c.Send(t.Context(), ws.Text("\xff")); !errors.Is(err, errors.ErrInvalidUTF8) {
			t.Errorf("Send = %v, want ErrInvalidUTF8", err)
		}
		if err := c.Send(t.Context(), ws.Message{}); err == nil {
			t.Error("a message of no kind was accepted")
		}
		end(c)
	})
}

func TestClientOnConnectComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, got := newNetwork(t), &record{}
		n.serve = func(i int, server *ws.Conn) {
			m, _ := server.Receive(context.Background())
			got.add(strconv.Itoa(i) + ":" + m.String())
			time.Sleep(time.Second)
			server.Send(context.Background(), ws.Text("welcome"))
			server.Send(context.Background(), ws.Text("news"))
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
			defer cancel()
			for m, err := range server.Messages(ctx) {
				if err != nil {
					break
				}
				got.add(strconv.Itoa(i) + ":" + m.String())
			}
			server.Close(errors.GoingAway, "")
		}
		c := n.client(ClientOptions{
			Outbox: &Outbox{},
			OnConnect: func(ctx context.Context, conn *ws.Conn) error {
				if err := conn.Send(ctx, ws.Text("token")); err != nil {
					return err
				}
				m, err := conn.Receive(ctx)
				if m.String() != "welcome" {
					t.Errorf("OnConnect received %q, want the first message", m)
				}
				return err
			},
		})
		sendText(t, c, "one")
		sendText(t, c, "two")
		receiveText(t, c, "news")
		sendText(t, c, "three")
		time.Sleep(16 * time.Second)
		sendText(t, c, "four")
		receiveText(t, c, "news")
		synctest.Wait()
		got.check(t, "1:token", "1:one", "1:two", "1:three", "2:token", "2:four")
		end(c)
	})
}

func TestClientOnConnectFails(t *testing.T) {
	failure := io.ErrNoProgress
	for _, tt := range []struct {
		name  string
		retry func(error) bool
		f     func(context.Context, *ws.Conn) error
		dials int   // within an hour
		err   error // that ends the Client, nil if it continues
	}{
		{"with its own error", nil, func(context.Context, *ws.Conn) error { return failure }, 1, failure},
		{"with a Retry that tries again", func(err error) bool { return errors.Is(err, failure) }, func(context.Context, *ws.Conn) error { return failure }, 3, failure},
		{"because the peer is silent", nil, func(ctx context.Context, conn *ws.Conn) error {
			_, err := conn.Receive(ctx)
			return err
		}, 3, context.DeadlineExceeded},
		{"because the server closed", nil, func(ctx context.Context, conn *ws.Conn) error {
			conn.Send(ctx, ws.Text("close"))
			_, err := conn.Receive(ctx)
			return err
		}, 3, errors.GoingAway},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				n.serve = func(_ int, server *ws.Conn) {
					if m, _ := server.Receive(context.Background()); m.String() == "close" {
						server.Close(errors.GoingAway, "")
					}
				}
				var downs []error
				c := n.client(ClientOptions{OnConnect: tt.f, Reconnect: &ReconnectOptions{
					Retry:       tt.retry,
					MaxAttempts: 3,
					StableAfter: time.Hour,
					OnDown:      func(d Down) { downs = append(downs, d.Err) },
				}})
				<-c.Done()
				if len(n.dials) != tt.dials || !errors.Is(c.Err(), tt.err) {
					t.Errorf("dialed %d times and ended with %v, want %d and %v", len(n.dials), c.Err(), tt.dials, tt.err)
				}
				for _, err := range downs {
					if !errors.Is(err, tt.err) {
						t.Errorf("was down because of %v, want %v", err, tt.err)
					}
				}
				synctest.Wait()
			})
		})
	}
}

func TestClientOutbox(t *testing.T) {
	for _, tt := range []struct {
		name    string
		outbox  Outbox
		refused []string // of the sent messages
		lost    []string
		arrived []string
	}{
		{"space for all", Outbox{}, nil, nil, []string{"1:m0", "1:m1", "1:m2", "1:m3", "1:m4"}},
		{"refuses newest", Outbox{MaxMessages: 3}, []string{"m3", "m4"}, nil, []string{"1:m0", "1:m1", "1:m2"}},
		{"drops oldest", Outbox{MaxMessages: 3, Overflow: DropOldest}, nil, []string{"m0", "m1"}, []string{"1:m2", "1:m3", "1:m4"}},
		{"refuses newest by bytes", Outbox{MaxBytes: 5}, []string{"m2", "m3", "m4"}, nil, []string{"1:m0", "1:m1"}},
		{"drops oldest by bytes", Outbox{MaxBytes: 5, Overflow: DropOldest}, nil, []string{"m0", "m1", "m2"}, []string{"1:m3", "1:m4"}},
		{"refuses a message larger than MaxBytes", Outbox{MaxBytes: 1, Overflow: DropOldest}, []string{"m0", "m1", "m2", "m3", "m4"}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, got, lost, refusals := newNetwork(t), &record{}, &record{}, &record{}
				r := n.redialer(nil)
				up := make(chan struct{})
				r.dial = func(ctx context.Context, url string, o *DialOptions) (*ws.Conn, error) {
					<-up
					return n.dial(ctx, url, o)
				}
				n.serve = got.keep
				c := newClient(context.Background(), r, ClientOptions{
					Outbox: &tt.outbox,
					OnLost: func(m ws.Message, err error) {
						lost.add(m.String())
						if !errors.Is(err, errors.ErrNotSent) || !errors.Is(err, errors.ErrOutboxFull) || errors.Is(err, errors.ErrUnconfirmed) {
							t.Errorf("lost for %v, want ErrNotSent and ErrOutboxFull", err)
						}
					},
				})
				buf := []byte("m0")
				for i := range 5 {
					buf[1] = byte('0' + i) // the caller may reuse the data
					if err := c.Send(t.Context(), ws.Message{Kind: ws.KindText, Data: buf}); err != nil {
						refusals.add(string(buf))
						if !errors.Is(err, errors.ErrOutboxFull) || !strings.Contains(err.Error(), "messages") {
							t.Errorf("Send = %v, want ErrOutboxFull and the number of messages", err)
						}
					}
				}
				close(up)
				synctest.Wait()
				refusals.check(t, tt.refused...)
				lost.check(t, tt.lost...)
				got.check(t, tt.arrived...)
				end(c)
			})
		})
	}
	t.Run("unsent messages are reported at the end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, lost := newNetwork(t), &record{}
			n.answer = func(i int) error {
				if i == 2 {
					return refused(401)
				}
				return refused(503)
			}
			c := n.client(ClientOptions{Outbox: &Outbox{}, OnLost: func(m ws.Message, err error) {
				failed, ok := errors.AsType[*errors.ConnectionError](err)
				lost.add(m.String())
				if !errors.Is(err, errors.ErrNotSent) || !ok || failed.StatusCode != 401 {
					t.Errorf("lost for %v, want ErrNotSent and the 401", err)
				}
			}})
			sendText(t, c, "one")
			sendText(t, c, "two")
			<-c.Done()
			lost.check(t, "one", "two")
			if err := c.Send(t.Context(), ws.Text("three")); err != c.Err() || err == nil {
				t.Errorf("Send = %v after the end, want Err", err)
			}
		})
	})
	t.Run("keeps the order above the high-water mark", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, got, lost := newNetwork(t), &record{}, &record{}
			n.serve = func(i int, server *ws.Conn) {
				if i == 1 {
					time.Sleep(time.Minute)
					server.Close(errors.GoingAway, "")
					return
				}
				got.keep(i, server)
			}
			n.answer = func(i int) error {
				time.Sleep(time.Second) // all messages then go through the outbox
				return nil
			}
			c := n.client(ClientOptions{
				Outbox:    &Outbox{},
				OnLost:    func(m ws.Message, err error) { lost.add(m.String()) },
				Reconnect: &ReconnectOptions{Dial: &DialOptions{SendBuffer: 1}},
			})
			for i := range 4 {
				sendText(t, c, strconv.Itoa(i))
			}
			time.Sleep(5 * time.Minute)
			end(c)
			// The second message waited for space when the connection ended. It is sent
			// or lost, depending on which the Client noticed first.
			if len(lost.all) > 0 {
				lost.check(t, "1")
				got.check(t, "2:2", "2:3")
			} else {
				got.check(t, "2:1", "2:2", "2:3")
			}
		})
	})
}

func beat() *ws.Heartbeat { return &ws.Heartbeat{Every: 20 * time.Second, Timeout: 8 * time.Second} }

func TestClientReportsUnconfirmedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, got, lost := newNetwork(t), &record{}, &record{}
		n.server = &ws.Config{AnswerHeartbeat: beat()}
		n.serve = func(i int, server *ws.Conn) {
			if i == 2 {
				got.keep(i, server)
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			for m, err := range server.Messages(ctx) {
				if err != nil {
					return // like a broken link: the peer neither reads nor answers
				}
				got.add(strconv.Itoa(i) + ":" + m.String())
			}
		}
		var states []Phase
		c := n.client(ClientOptions{
			OnLost: func(m ws.Message, err error) {
				lost.add(m.String())
				if !errors.Is(err, errors.ErrUnconfirmed) || !errors.Is(err, errors.PolicyViolation) || errors.Is(err, errors.ErrNotSent) {
					t.Errorf("lost for %v, want ErrUnconfirmed and PolicyViolation", err)
				}
			},
			Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat()}},
		})
		go func() {
			for s := range c.Changes() {
				if s.Phase != Connecting { // which a slow reader may miss
					states = append(states, s.Phase)
				}
			}
		}()
		sendText(t, c, "arrives")
		time.Sleep(5 * time.Second)
		sendText(t, c, "arrives too")
		time.Sleep(6 * time.Second) // the link is gone
		sendText(t, c, "lost")
		sendText(t, c, "lost too")
		began := time.Now()
		for c.State().Phase == Connected {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took > 28*time.Second {
			t.Errorf("found after %v, want interval and timeout, 28s", took)
		}
		lost.check(t, "lost", "lost too")
		sendText(t, c, "on the next one")
		time.Sleep(time.Minute)
		got.check(t, "1:arrives", "1:arrives too", "2:on the next one")
		lost.check(t, "lost", "lost too")
		end(c)
		if !equal(states, []Phase{Connected, Waiting, Connected, Closed}) {
			t.Errorf("states were %v", states)
		}
	})
}

func TestClientKeepsUnconfirmedBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		answering := make(chan struct{})
		n.server = &ws.Config{AnswerHeartbeat: beat()}
		n.serve = func(_ int, server *ws.Conn) {
			<-answering
			drain(context.Background(), server)
		}
		c := n.client(ClientOptions{
			OnLost:    func(m ws.Message, err error) { t.Errorf("lost %q: %v", m, err) },
			Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat(), SendBuffer: 1000}},
		})
		sent := 0
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		for c.Send(ctx, ws.Binary(make([]byte, 100))) == nil {
			sent++
		}
		if sent > 10 {
			t.Errorf("sent %d times 100 bytes with nothing confirmed, want at most 10", sent)
		}
		close(answering)
		began := time.Now()
		for range 1000 {
			if err := c.Send(t.Context(), ws.Binary(make([]byte, 100))); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("1000 messages took %v to a peer that answers at once, want no waits for a timer", took)
		}
		if err := c.Flush(t.Context()); err != nil {
			t.Errorf("Flush = %v, want nil", err)
		}
		end(c)
	})
}

func TestClientCloseConfirms(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer *ws.Heartbeat
		reads  bool
		want   []string // reported
	}{
		{"answers", beat(), true, nil},
		{"does not answer", nil, true, []string{"just before"}},
		{"reads nothing", beat(), false, []string{"just before"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, got, lost := newNetwork(t), &record{}, &record{}
				n.server = &ws.Config{AnswerHeartbeat: tt.answer}
				n.serve = func(i int, server *ws.Conn) {
					if tt.reads {
						got.keep(i, server)
						return
					}
					<-server.Done()
				}
				c := n.client(ClientOptions{
					OnLost: func(m ws.Message, err error) {
						lost.add(m.String())
						if !errors.Is(err, errors.ErrUnconfirmed) {
							t.Errorf("lost for %v, want ErrUnconfirmed", err)
						}
					},
					Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat(), CloseTimeout: 4 * time.Second}},
				})
				sendText(t, c, "just before")
				began := time.Now()
				end(c)
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("Close took %v, want at most one and a half CloseTimeout", took)
				}
				lost.check(t, tt.want...)
				if tt.reads && (len(got.all) == 0 || got.all[0] != "1:just before") {
					t.Errorf("the server got %q", got.all)
				}
			})
		})
	}
}

// TestClientAccountsForEachMessage ends connections from both sides at once, and checks
// that each accepted message has arrived or is reported.
func TestClientAccountsForEachMessage(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			n, got, lost := newNetwork(t), &record{}, &record{}
			n.server = &ws.Config{AnswerHeartbeat: beat()}
			ends := time.Now().Add(time.Duration(random.Int64N(int64(time.Second))))
			n.serve = func(_ int, server *ws.Conn) {
				ctx, cancel := context.WithDeadline(context.Background(), ends)
				defer cancel()
				for m, err := range server.Messages(ctx) {
					if err != nil || !time.Now().Before(ends) {
						break
					}
					got.add(m.String())
					time.Sleep(3 * time.Millisecond)
				}
				server.Close(errors.GoingAway, "")
			}
			o := ClientOptions{
				OnLost:    func(m ws.Message, _ error) { lost.add(m.String()) },
				Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat()}},
			}
			if seed%2 == 0 {
				o.Outbox = &Outbox{}
			}
			c := n.client(o)
			var accepted []string
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				for i := 0; c.Err() == nil; i++ {
					if c.Send(context.Background(), ws.Text(strconv.Itoa(i))) == nil {
						accepted = append(accepted, strconv.Itoa(i))
					}
					time.Sleep(2 * time.Millisecond)
				}
			}()
			time.Sleep(time.Until(ends) + time.Duration(random.Int64N(int64(10*time.Millisecond))) - 5*time.Millisecond)
			end(c)
			<-stopped
			time.Sleep(time.Minute) // the servers end
			known := map[string]bool{}
			for _, text := range append(got.all, lost.all...) {
				known[text] = true
			}
			for _, text := range accepted {
				if !known[text] {
					t.Errorf("seed %d: %q was accepted, and neither arrived nor was reported", seed, text)
				}
			}
		})
	}
}

func TestClientFlush(t *testing.T) {
	t.Run("waits for the outbox", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, got := newNetwork(t), &record{}
			n.answer = refuseFirst
			n.serve = got.keep
			c := n.client(ClientOptions{Outbox: &Outbox{}})
			for i := range 3 {
				sendText(t, c, strconv.Itoa(i))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Flush = %v while down, want the deadline", err)
			}
			if err := c.Flush(t.Context()); err != nil {
				t.Errorf("Flush = %v, want nil", err)
			}
			end(c)
			got.check(t, "2:0", "2:1", "2:2")
			if err := c.Flush(t.Context()); !errors.Is(err, errors.NormalClosure) {
				t.Errorf("Flush = %v after the end, want Err", err)
			}
		})
	})
	t.Run("waits for confirmation, and not for its timer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.server = &ws.Config{AnswerHeartbeat: beat()}
			n.serve = func(_ int, server *ws.Conn) {
				time.Sleep(300 * time.Millisecond)
				drain(context.Background(), server)
			}
			c := n.client(ClientOptions{
				OnLost:    func(ws.Message, error) {},
				Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat()}},
			})
			sendText(t, c, "one")
			began := time.Now()
			if err := c.Flush(t.Context()); err != nil || time.Since(began) != 300*time.Millisecond {
				t.Errorf("Flush = %v after %v, want nil after 300ms", err, time.Since(began))
			}
			end(c)
		})
	})
	t.Run("nothing to wait for", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.answer = func(int) error { return refused(503) }
			c := n.client(ClientOptions{})
			if err := c.Flush(t.Context()); err != nil {
				t.Errorf("Flush = %v, want nil", err)
			}
			end(c)
		})
	})
}

func TestClientClose(t *testing.T) {
	// The states of the Client when Close is called.
	for _, tt := range []struct {
		name string
		set  func(n *network, r *redialer, o *ClientOptions)
	}{
		{"while connected", func(*network, *redialer, *ClientOptions) {}},
		{"while waiting", func(n *network, _ *redialer, _ *ClientOptions) {
			n.answer = func(int) error { return refused(503) }
		}},
		{"while dialing", func(_ *network, r *redialer, _ *ClientOptions) {
			r.dial = func(ctx context.Context, _ string, _ *DialOptions) (*ws.Conn, error) {
				<-ctx.Done()
				return nil, &errors.ConnectionError{Err: ctx.Err()}
			}
		}},
		{"while a dial ignores it", func(n *network, r *redialer, _ *ClientOptions) {
			r.dial = func(ctx context.Context, url string, o *DialOptions) (*ws.Conn, error) {
				time.Sleep(2 * time.Second)
				return n.dial(context.WithoutCancel(ctx), url, o)
			}
		}},
		{"in OnConnect", func(_ *network, _ *redialer, o *ClientOptions) {
			o.OnConnect = func(ctx context.Context, conn *ws.Conn) error {
				_, err := conn.Receive(ctx)
				return err
			}
		}},
		{"while messages are unread", func(n *network, r *redialer, _ *ClientOptions) {
			r.ReconnectOptions.Dial = &DialOptions{ReceiveBuffer: 1}
			n.serve = func(_ int, server *ws.Conn) {
				for server.Send(context.Background(), ws.Text("news")) == nil && server.Buffered() < 1000 {
				}
				drain(context.Background(), server)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, e := newNetwork(t), &ends{}
				n.serve = e.serve
				r := n.redialer(nil)
				var o ClientOptions
				tt.set(n, r, &o)
				c := newClient(context.Background(), r, o)
				time.Sleep(time.Second)
				if err := c.Close(1005, ""); !errors.Is(err, errors.ErrInvalidCloseReason) || c.Err() != nil {
					t.Errorf("Close = %v, Err = %v, want a refusal that changes nothing", err, c.Err())
				}
				if err := c.Close(4001, "bye"); err != nil {
					t.Errorf("Close = %v, want nil", err)
				}
				c.Close(4002, "again")
				<-c.Done()
				closed, ok := errors.AsType[*errors.ConnectionClosed](c.Err())
				if !ok || closed.Reason != 4001 || closed.Message != "bye" || closed.Remote {
					t.Errorf("Err = %v, want 4001 bye, local", c.Err())
				}
				if _, err := c.Receive(t.Context()); err != c.Err() {
					t.Errorf("Receive = %v, want Err", err)
				}
				if err := c.Send(t.Context(), ws.Text("")); err != c.Err() {
					t.Errorf("Send = %v, want Err", err)
				}
				if s := c.State(); s.Phase != Closed || s.Err != c.Err() {
					t.Errorf("State = %+v, want Closed by Err", s)
				}
				last := State{}
				for s := range c.Changes() {
					last = s
				}
				if last.Phase != Closed {
					t.Errorf("the last of Changes is %v, want closed", last.Phase)
				}
				if c.Latency() != 0 {
					t.Errorf("Latency = %v without a connection", c.Latency())
				}
				synctest.Wait()
				for _, err := range e.all {
					if !errors.Is(err, errors.CloseReason(4001)) {
						t.Errorf("the server saw %v, want 4001", err)
					}
				}
			})
		})
	}
}

func TestClientReceivesNothingAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.serve = func(_ int, server *ws.Conn) {
			for range 3 {
				server.Send(context.Background(), ws.Text("news"))
			}
		}
		c := n.client(ClientOptions{})
		receiveText(t, c, "news")
		waiting := make(chan error)
		go func() {
			c.Receive(t.Context())
			c.Receive(t.Context())
			_, err := c.Receive(t.Context())
			waiting <- err
		}()
		synctest.Wait()
		end(c)
		if err := <-waiting; err != c.Err() {
			t.Errorf("a Receive that waited returned %v, want Err", err)
		}
		if m, err := c.Receive(t.Context()); err != c.Err() {
			t.Errorf("Receive = %q, %v, want Err", m, err)
		}
	})
}

func TestClientEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		n, e := newNetwork(t), &ends{}
		n.serve = e.serve
		c := newClient(ctx, n.redialer(nil), ClientOptions{})
		synctest.Wait()
		cancel(io.ErrClosedPipe)
		<-c.Done()
		if !errors.Is(c.Err(), errors.GoingAway) || !errors.Is(c.Err(), io.ErrClosedPipe) {
			t.Errorf("Err = %v, want 1001 and the cause of ctx's end", c.Err())
		}
		e.check(t, errors.GoingAway)
	})
}

func TestClientEndsByReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.serve = func(_ int, server *ws.Conn) {
			server.Send(context.Background(), ws.Text("the last"))
			server.Close(4001, "signed in elsewhere")
		}
		c := n.client(ClientOptions{})
		<-c.Done()
		receiveText(t, c, "the last")
		for range 2 {
			closed, ok := errors.AsType[*errors.ConnectionClosed](func() error { _, err := c.Receive(t.Context()); return err }())
			if !ok || closed.Reason != 4001 || !closed.Remote {
				t.Errorf("Receive = %v, want the server's 4001", closed)
			}
		}
		if err := c.Close(errors.NormalClosure, ""); err != nil || !errors.Is(c.Err(), errors.CloseReason(4001)) {
			t.Errorf("Close = %v, then Err = %v, want nil and still the first cause", err, c.Err())
		}
	})
}

func TestClientStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.answer = func(i int) error {
			if i == 2 {
				return refused(503)
			}
			return nil
		}
		n.serve = closeAfter(time.Minute, errors.GoingAway)
		c := n.client(ClientOptions{})
		var got []string
		for s := range c.Changes() {
			line := s.Phase.String() + " " + strconv.Itoa(s.Attempts)
			if !s.Next.IsZero() {
				line += " in " + time.Until(s.Next).String()
			}
			if s.Err != nil {
				line += " " + s.Err.Error()[len("websocket: "):]
			}
			// A slow reader misses states that others follow at once.
			if s.Phase == Connecting {
				if line != "connecting 1" && s.Err == nil {
					t.Errorf("%s after a failure has no error", line)
				}
				continue
			}
			if got = append(got, line); len(got) == 5 {
				break
			}
		}
		want := []string{
			"connected 1",
			"waiting 0 in 1s connection closed by the peer: 1001 (going away)",
			"waiting 1 in 3s cannot connect: HTTP status 503",
			"connected 2", // without the error of the last attempt
			"waiting 0 in 1s connection closed by the peer: 1001 (going away)",
		}
		if !equal(got, want) {
			t.Errorf("states\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		end(c)
		time.Sleep(time.Minute) // for the server
	})
}

// TestClientReconnectsWithUnreadMessages ends every connection while more messages are
// unread than a Client reads ahead.
func TestClientReconnectsWithUnreadMessages(t *testing.T) {
	const connections, messages = 4, 20
	for _, tt := range []struct {
		name      string
		maxUnread int
		dropped   string
	}{
		{"with space", 0, ""},
		{"without a limit", -1, ""},
		{"with space for two connections", 2 * messages * (100 + 32), "40 over MaxUnread"},
		{"with space for less than is read ahead", 100 + 32, "79 over MaxUnread"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, got := newNetwork(t), &record{}
				n.serve = func(i int, server *ws.Conn) {
					if i > connections {
						got.keep(i, server)
						return
					}
					for k := range messages {
						m := make([]byte, 100)
						copy(m, strconv.Itoa(i)+"-"+strconv.Itoa(k)+" ")
						if err := server.Send(context.Background(), ws.Text(string(m))); err != nil {
							t.Error(err)
						}
					}
					server.Close(errors.GoingAway, "")
				}
				c := n.client(ClientOptions{
					MaxUnread: tt.maxUnread,
					Reconnect: &ReconnectOptions{Dial: &DialOptions{ReceiveBuffer: 500}},
				})
				time.Sleep(time.Minute)
				if s := c.State(); s.Phase != Connected {
					t.Fatalf("State = %+v with messages unread, want connected", s)
				}
				sendText(t, c, "on the last one")
				synctest.Wait()
				got.check(t, strconv.Itoa(connections+1)+":on the last one")
				next := 0
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				for m, err := range c.Messages(ctx) {
					switch {
					case errors.Is(err, errors.ErrNotReceived) && next == 0 && tt.dropped != "":
						number, _, _ := strings.Cut(tt.dropped, " ")
						next, _ = strconv.Atoi(number)
						if !strings.HasSuffix(err.Error(), tt.dropped) {
							t.Errorf("Receive = %v, want it to end in %q", err, tt.dropped)
						}
						continue
					case err != nil && ctx.Err() == nil:
						t.Errorf("Receive = %v", err)
					}
					if err != nil {
						break
					}
					want := strconv.Itoa(next/messages+1) + "-" + strconv.Itoa(next%messages)
					if number, _, _ := strings.Cut(m.String(), " "); number != want {
						t.Fatalf("received %s, want %s", number, want)
					}
					next++
				}
				if next != connections*messages {
					t.Errorf("received or dropped %d messages, want %d", next, connections*messages)
				}
				end(c)
			})
		})
	}
}

// TestClientHoldsUpTheServer receives nothing on a connection that stays open.
func TestClientHoldsUpTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, sent := newNetwork(t), 0
		n.server = &ws.Config{SendBuffer: 1000}
		n.serve = func(_ int, server *ws.Conn) {
			for server.Send(context.Background(), ws.Text("news")) == nil {
				sent++
			}
		}
		c := n.client(ClientOptions{Reconnect: &ReconnectOptions{Dial: &DialOptions{ReceiveBuffer: 500}}})
		time.Sleep(time.Hour)
		synctest.Wait()
		if sent < 10 || sent > 1000 {
			t.Errorf("the server sent %d messages, want it to wait for a reader", sent)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Flush(ctx); err != nil {
			t.Errorf("Flush = %v, want nil", err)
		}
		end(c)
	})
}

// TestClientKeepsNothingUnread checks that a limit below the size of one message delays
// no message.
func TestClientKeepsNothingUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.serve = func(_ int, server *ws.Conn) {
			for _, text := range []string{"one", "two", "three"} {
				server.Send(context.Background(), ws.Text(text))
			}
			drain(context.Background(), server)
		}
		c := n.client(ClientOptions{MaxUnread: 1})
		for _, want := range []string{"one", "two", "three"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if m, err := c.Receive(ctx); err != nil || m.String() != want {
				t.Errorf("Receive = %q, %v, want %q", m, err, want)
			}
			cancel()
		}
		end(c)
	})
}

func TestClientTrySend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, got, lost := newNetwork(t), &record{}, &record{}
		up := make(chan struct{})
		n.answer = refuseFirst
		n.server = &ws.Config{AnswerHeartbeat: beat()}
		n.serve = func(i int, server *ws.Conn) {
			<-up
			got.keep(i, server)
		}
		o := ClientOptions{
			OnLost:    func(m ws.Message, _ error) { lost.add(m.String()) },
			Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat(), SendBuffer: 8}},
		}
		c := n.client(o)
		synctest.Wait()
		if err := c.TrySend(ws.Text("down")); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("TrySend = %v without a connection, want ErrWouldBlock", err)
		}
		if err := c.TrySend(ws.Text("\xff")); !errors.Is(err, errors.ErrInvalidUTF8) {
			t.Errorf("TrySend = %v for invalid UTF-8", err)
		}
		time.Sleep(10 * time.Second)
		if err := c.TrySend(ws.Text("12345678")); err != nil {
			t.Errorf("TrySend = %v with space", err)
		}
		if err := c.TrySend(ws.Text("full")); !errors.Is(err, errors.ErrWouldBlock) {
			t.Errorf("TrySend = %v with all of SendBuffer unconfirmed, want ErrWouldBlock", err)
		}
		close(up)
		if err := c.Confirm(t.Context()); err != nil {
			t.Errorf("Confirm = %v, want nil", err)
		}
		got.check(t, "2:12345678")
		synctest.Wait()
		if err := c.TrySend(ws.Text("again")); err != nil {
			t.Errorf("TrySend = %v after all was confirmed", err)
		}
		end(c)
		if err := c.TrySend(ws.Text("over")); err != c.Err() {
			t.Errorf("TrySend = %v after Close, want Err", err)
		}
		got.check(t, "2:12345678", "2:again")
		lost.check(t)
	})
	t.Run("with an outbox", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, got := newNetwork(t), &record{}
			n.answer = refuseFirst
			n.serve = got.keep
			c := n.client(ClientOptions{Outbox: &Outbox{MaxMessages: 1}})
			synctest.Wait()
			if err := c.TrySend(ws.Text("queued")); err != nil {
				t.Errorf("TrySend = %v, want nil", err)
			}
			if err := c.TrySend(ws.Text("more")); !errors.Is(err, errors.ErrOutboxFull) {
				t.Errorf("TrySend = %v with a full outbox, want ErrOutboxFull", err)
			}
			time.Sleep(time.Minute)
			got.check(t, "2:queued")
			end(c)
		})
	})
}

// TestClientSendsWithoutWaiting checks that a context that has ended stops no send that need
// not wait.
func TestClientSendsWithoutWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, got := newNetwork(t), &record{}
		n.serve = got.keep
		c := n.client(ClientOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Send(ctx, ws.Text("down")); !errors.Is(err, context.Canceled) {
			t.Errorf("Send = %v without a connection, want the context's end", err)
		}
		synctest.Wait()
		if err := c.Send(ctx, ws.Text("up")); err != nil {
			t.Errorf("Send = %v with space, want nil", err)
		}
		synctest.Wait()
		got.check(t, "1:up")
		end(c)
	})
}

func TestClientConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, got := newNetwork(t), &record{}
		n.server = &ws.Config{AnswerHeartbeat: beat()}
		n.answer = refuseFirst
		n.serve = func(i int, server *ws.Conn) {
			if i == 3 { // reads nothing, and ends
				time.Sleep(time.Second)
				server.Close(errors.GoingAway, "")
				return
			}
			m, _ := server.Receive(context.Background())
			got.add(m.String())
			if m.String() == "bye" {
				server.Close(errors.GoingAway, "")
				return
			}
			got.keep(i, server)
		}
		c := n.client(ClientOptions{Outbox: &Outbox{}, Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat()}}})
		sendText(t, c, "queued")
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := c.Confirm(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Confirm = %v without a connection, want the context's end", err)
		}
		if err := c.Confirm(t.Context()); err != nil {
			t.Errorf("Confirm = %v, want nil", err)
		}
		got.check(t, "queued")
		if c.Latency() < 0 {
			t.Errorf("Latency = %v", c.Latency())
		}
		c.Probe()
		end(c)
		if err := c.Confirm(t.Context()); err != c.Err() {
			t.Errorf("Confirm = %v after Close, want Err", err)
		}
	})
	t.Run("lost", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.serve = func(_ int, server *ws.Conn) {
				time.Sleep(time.Second)
				server.Close(errors.GoingAway, "")
			}
			c := n.client(ClientOptions{Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat()}}})
			sendText(t, c, "lost")
			if err := c.Confirm(t.Context()); !errors.Is(err, errors.ErrUnconfirmed) || !errors.Is(err, errors.GoingAway) {
				t.Errorf("Confirm = %v, want ErrUnconfirmed and the cause", err)
			}
			end(c)
		})
	})
	t.Run("without a heartbeat", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNetwork(t)
			n.serve = func(_ int, server *ws.Conn) { drain(context.Background(), server) }
			c := n.client(ClientOptions{})
			if err := c.Confirm(t.Context()); !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, errors.ErrWebSocket) {
				t.Errorf("Confirm = %v, want ErrUnsupported", err)
			}
			c.Probe()
			end(c)
		})
	})
}

func TestClientSendsFromManyGoroutines(t *testing.T) {
	for _, tt := range []struct {
		name     string
		options  ClientOptions
		followed bool
	}{
		{"waiting", ClientOptions{}, false},
		{"outbox", ClientOptions{Outbox: &Outbox{MaxMessages: 1 << 20, MaxBytes: 1 << 30}}, false},
		{"waiting, followed", ClientOptions{Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat()}}}, true},
		{"outbox, followed", ClientOptions{Outbox: &Outbox{}, Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat()}}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const senders, messages = 16, 100
				n := newNetwork(t)
				n.server = &ws.Config{AnswerHeartbeat: beat()}
				var mu sync.Mutex
				last := map[string]int{}
				arrived, reported := map[string]int{}, map[string]bool{}
				n.serve = func(i int, server *ws.Conn) {
					for m, err := range server.Messages(context.Background()) {
						if err != nil {
							return
						}
						who, number, _ := strings.Cut(m.String(), "-")
						k, _ := strconv.Atoi(number)
						mu.Lock()
						if k <= last[who] {
							t.Errorf("message %d of %s arrived after %d", k, who, last[who])
						}
						last[who] = k
						arrived[m.String()]++
						enough := len(arrived)%100 == 0
						mu.Unlock()
						if enough {
							server.Close(errors.GoingAway, "") // drops unread messages
						}
					}
				}
				report := func(m ws.Message) {
					mu.Lock()
					defer mu.Unlock()
					reported[m.String()] = true
				}
				if tt.followed {
					tt.options.OnLost = func(m ws.Message, err error) { report(m) }
				}
				c := n.client(tt.options)
				var all sync.WaitGroup
				for who := range senders {
					all.Go(func() {
						for k := range messages {
							m := ws.Text(strconv.Itoa(who) + "-" + strconv.Itoa(k+1))
							if c.Send(context.Background(), m) != nil {
								report(m)
							}
						}
					})
				}
				all.Wait()
				c.Flush(t.Context())
				end(c)
				mu.Lock()
				defer mu.Unlock()
				if len(arrived) < 100 {
					t.Errorf("%d messages arrived, want some of many connections", len(arrived))
				}
				for who := range senders {
					for k := range messages {
						m := strconv.Itoa(who) + "-" + strconv.Itoa(k+1)
						if tt.followed && arrived[m] == 0 && !reported[m] {
							t.Errorf("%s is lost, and OnLost did not report it", m)
						}
						if arrived[m] > 1 {
							t.Errorf("%s arrived %d times", m, arrived[m])
						}
					}
				}
			})
		})
	}
}

func TestClientOptionsThatCannotBeUsed(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		options    ClientOptions
	}{
		{"reconnect", "ReconnectOptions.MaxDelay is negative", ClientOptions{Reconnect: &ReconnectOptions{MaxDelay: -1}}},
		{"messages", "Outbox.MaxMessages is negative: -2", ClientOptions{Outbox: &Outbox{MaxMessages: -2}}},
		{"bytes", "Outbox.MaxBytes is negative: -3", ClientOptions{Outbox: &Outbox{MaxBytes: -3}}},
		{"policy", "Outbox.Overflow is neither", ClientOptions{Outbox: &Outbox{Overflow: 7}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewClient(t.Context(), "ws://test/", &tt.options)
			<-c.Done()
			if err := c.Err(); err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, errors.ErrWebSocket) {
				t.Errorf("Err = %v, want %q", err, tt.want)
			}
			if c.State().Phase != Closed || c.Close(errors.NormalClosure, "") != nil {
				t.Errorf("State = %+v, want Closed, and nothing left to close", c.State())
			}
			if err := c.Send(t.Context(), ws.Text("")); err != c.Err() {
				t.Errorf("Send = %v, want Err", err)
			}
		})
	}
}

func TestClientReconnectsAThousandTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		n.server = &ws.Config{AnswerHeartbeat: beat()}
		n.serve = func(_ int, server *ws.Conn) {
			server.Receive(context.Background())
			server.Close(errors.GoingAway, "")
		}
		c := n.client(ClientOptions{
			Outbox:    &Outbox{},
			OnLost:    func(ws.Message, error) {},
			Reconnect: &ReconnectOptions{Dial: &DialOptions{Heartbeat: beat()}},
		})
		for range 1000 {
			c.Send(t.Context(), ws.Text("go away")) // fails if the server is faster
			time.Sleep(time.Minute)
		}
		end(c)
		if len(n.dials) < 1000 {
			t.Errorf("dialed %d times, want 1000", len(n.dials))
		}
	})
}

func TestNamesOfPhasesAndPolicies(t *testing.T) {
	for got, want := range map[string]string{
		Connecting.String():   "connecting",
		Connected.String():    "connected",
		Waiting.String():      "waiting",
		Closed.String():       "closed",
		Phase(9).String():     "invalid phase 9",
		RefuseNewest.String(): "refuse newest",
		DropOldest.String():   "drop oldest",
		Overflow(9).String():  "invalid overflow policy 9",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestErrorsSayWhy(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{errNoHeartbeat, "websocket: confirm: DialOptions.Heartbeat is not set: unsupported operation"},
		{&lossError{errors.ErrUnconfirmed, errors.GoingAway}, errors.ErrUnconfirmed.Error() + ": " + errors.GoingAway.Error()},
		{timeoutError(3 * time.Second), "no connection within the HandshakeTimeout of 3s"},
		{&downError{op: "send", err: context.Canceled, cause: errors.New("shutdown"), state: State{Phase: Waiting, Err: errors.New("refused")}},
			"websocket: send: context canceled: shutdown while waiting, because: refused"},
		{&downError{op: "flush", err: context.DeadlineExceeded, cause: context.DeadlineExceeded, state: State{Phase: Connected}, unread: 70, limit: 64},
			"websocket: flush: context deadline exceeded while 70 bytes wait for Receive, and nothing more is read"},
		{&downError{op: "flush", err: context.DeadlineExceeded, state: State{Phase: Connected}, unread: 1, limit: 64},
			"websocket: flush: context deadline exceeded"},
	} {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// Errors of waits tell a deadline from other ends, as net.Error does.
func TestErrorsOfDeadlinesAreTimeouts(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{timeoutError(time.Second), true},
		{&downError{err: context.DeadlineExceeded}, true},
		{&downError{err: context.Canceled}, false},
	} {
		timeout, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](tt.err)
		if !ok || timeout.Timeout() != tt.want {
			t.Errorf("%v: a timeout is %v, want %v", tt.err, !tt.want, tt.want)
		}
	}
}

func TestNegativeHandshakeTimeoutIsNone(t *testing.T) {
	ctx, cancel := (&DialOptions{HandshakeTimeout: -1}).withHandshakeTimeout(t.Context())
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		t.Errorf("the context has a deadline, %v", deadline)
	}
}

// A message of the outbox that waits for space when the Client ends is lost with those behind it,
// in order.
func TestMessageThatWaitsForSpaceIsAccountedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, lost := newNetwork(t), &record{}
		n.serve = func(_ int, server *ws.Conn) { <-server.Done() } // reads nothing
		ctx, cancel := context.WithCancel(t.Context())
		dial := &DialOptions{SendBuffer: 64}
		o := ClientOptions{Outbox: &Outbox{}, Reconnect: &ReconnectOptions{Dial: dial}, OnLost: func(m ws.Message, why error) {
			if !errors.Is(why, errors.ErrNotSent) {
				lost.add("unconfirmed")
				return
			}
			lost.add(m.String()[:1])
		}}
		c := newClient(ctx, n.redialer(o.Reconnect), o)
		for _, text := range []string{"a", "b", "c", "d"} {
			sendText(t, c, strings.Repeat(text, 64))
		}
		time.Sleep(time.Second)
		cancel()
		<-c.Done()
		synctest.Wait()
		lost.check(t, "b", "c", "d")
	})
}
