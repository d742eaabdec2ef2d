package ws

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws/driver"
)

// beat returns a heartbeat with times that are easy to calculate with.
func beat() *Heartbeat { return &Heartbeat{Every: 20 * time.Second, Timeout: 8 * time.Second} }

// receiveAll receives on c until c ends, and then sends the received messages on the
// returned channel.
func receiveAll(c *Conn) <-chan []Message {
	done := make(chan []Message, 1)
	go func() {
		var got []Message
		for m, err := range c.Messages(context.Background()) {
			if err != nil {
				break
			}
			got = append(got, m)
		}
		done <- got
	}()
	return done
}

func mustSend(t *testing.T, c *Conn, m Message) {
	t.Helper()
	if err := c.Send(t.Context(), m); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

func isTimeout(err error) bool {
	closed, ok := errors.AsType[*errors.ConnectionClosed](err)
	return ok && closed.Reason == errors.PolicyViolation && closed.Message == PingTimeoutMessage && !closed.Remote
}

func TestHeartbeatFindsSilentPeer(t *testing.T) {
	for _, tt := range []struct {
		name      string
		heartbeat Heartbeat
	}{
		{"defaults", Heartbeat{}},
		{"timeout shorter than interval", Heartbeat{Every: 20 * time.Second, Timeout: 8 * time.Second}},
		{"timeout much shorter than interval", Heartbeat{Every: 60 * time.Second, Timeout: time.Second}},
		{"timeout longer than interval", Heartbeat{Every: 5 * time.Second, Timeout: 30 * time.Second}},
		{"not multiples of each other", Heartbeat{Every: 1234 * time.Millisecond, Timeout: 777 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := Pipe(&Config{Heartbeat: &tt.heartbeat}, nil)
				got := receiveAll(c)
				time.Sleep(tt.heartbeat.WithDefaults().Every / 3) // looks and arrivals must not coincide
				mustSend(t, peer, Text("the last sign of life"))
				began := time.Now()
				<-c.Done()
				silence := time.Since(began)
				d := tt.heartbeat.WithDefaults()
				if silence > d.Every+d.Timeout || silence < d.Every/2+d.Timeout {
					t.Errorf("ended after %v of silence, want at most Every %v + Timeout %v", silence, d.Every, d.Timeout)
				}
				if !isTimeout(c.Err()) {
					t.Errorf("Err = %v, want 1008 %q, local", c.Err(), PingTimeoutMessage)
				}
				if m := <-got; len(m) != 1 {
					t.Errorf("received %q, want the one message", m)
				}
			})
		})
	}
}

func TestHeartbeatIsAnsweredOutOfSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe(&Config{Heartbeat: beat()}, &Config{AnswerHeartbeat: beat()})
		got, peerGot := receiveAll(c), receiveAll(peer)
		time.Sleep(10 * time.Minute)
		mustSend(t, c, Text("to the peer"))
		mustSend(t, peer, Text("from the peer"))
		synctest.Wait()
		if c.Err() != nil {
			t.Fatalf("the connection ended though the peer answers: %v", c.Err())
		}
		c.Close(errors.NormalClosure, "")
		if m := <-got; len(m) != 1 || m[0].String() != "from the peer" {
			t.Errorf("this side received %q, want only the peer's message", m)
		}
		if m := <-peerGot; len(m) != 1 || m[0].String() != "to the peer" {
			t.Errorf("the peer received %q, want only this side's message", m)
		}
	})
}

func TestHeartbeatIsAnsweredInTryReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe(&Config{Heartbeat: beat()}, &Config{AnswerHeartbeat: beat()})
		receiveAll(c)
		time.Sleep(19 * time.Second) // the heartbeat has been sent
		mustSend(t, c, Text("behind it"))
		if m, ok, err := peer.TryReceive(); !ok || err != nil || m.String() != "behind it" {
			t.Errorf("TryReceive = %q, %v, %v, want the message after the heartbeat", m, ok, err)
		}
		time.Sleep(9 * time.Second)
		if c.Err() != nil {
			t.Errorf("the connection ended though TryReceive answered: %v", c.Err())
		}
		c.Close(errors.NormalClosure, "")
	})
}

// The latency is known also while messages flow, at a cost of one heartbeat per Every,
// not one per message.
func TestHeartbeatMeasuresLatencyWhileMessagesFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe(&Config{Heartbeat: beat()}, nil)
		receiveAll(c)
		heartbeats := 0
		go func() {
			for m, err := range peer.Messages(context.Background()) {
				if err != nil {
					return
				}
				if same(m, beat().WithDefaults().Message) {
					heartbeats++
					time.Sleep(70 * time.Millisecond)
					mustSend(t, peer, beat().WithDefaults().Answer)
				}
			}
		}()
		for range 2000 {
			time.Sleep(500 * time.Millisecond)
			mustSend(t, peer, Text("news"))
			mustSend(t, c, Text("news"))
		}
		if c.Latency() != 70*time.Millisecond {
			t.Errorf("Latency = %v, want 70ms", c.Latency())
		}
		c.Close(errors.NormalClosure, "")
		if heartbeats < 50 || heartbeats > 67 {
			t.Errorf("%d heartbeats in 1000 s, want one in 20 s or a little less", heartbeats)
		}
	})
}

// A heartbeat is sent once per Every even if Timeout is longer, so that proxies do not
// consider the connection idle.
func TestHeartbeatsWhileAnAnswerIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe(&Config{Heartbeat: &Heartbeat{Every: 5 * time.Second, Timeout: 60 * time.Second}}, nil)
		receiveAll(c)
		<-c.Done()
		n := 0
		for {
			if _, ok, _ := peer.TryReceive(); !ok {
				break
			}
			n++
		}
		if n < 12 {
			t.Errorf("%d heartbeats in a minute, want one in 5 s", n)
		}
	})
}

// A peer that accepts sent data, however slowly, is alive. A peer that accepts nothing
// is not alive, nor is one for which no data waits.
func TestHeartbeatSeesDepartures(t *testing.T) {
	push := func(c *Conn) {
		for c.Send(context.Background(), Binary(make([]byte, 1000))) == nil {
		}
	}
	for name, tt := range map[string]struct {
		pause time.Duration // between two messages of the peer's
		push  bool
		alive bool
	}{
		"push to a slow peer":               {7 * time.Second, true, true},
		"push to a quick peer":              {time.Millisecond, true, true},
		"push to a peer that does not read": {10 * time.Minute, true, false},
		"no push":                           {time.Millisecond, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, peer := Pipe(&Config{Heartbeat: beat(), SendBuffer: 10_000}, nil)
				receiveAll(c)
				if tt.push {
					go push(c)
				}
				go func() {
					for peer.Err() == nil {
						peer.TryReceive()
						time.Sleep(tt.pause)
					}
				}()
				began := time.Now()
				select {
				case <-c.Done():
				case <-time.After(5 * time.Minute):
				}
				if alive := c.Err() == nil; alive != tt.alive {
					t.Errorf("after %v: %v", time.Since(began), c.Err())
				}
				if !tt.alive && (!isTimeout(c.Err()) || time.Since(began) > 28*time.Second) {
					t.Errorf("ended after %v with %v", time.Since(began), c.Err())
				}
				c.Close(errors.NormalClosure, "")
				time.Sleep(10 * time.Minute) // the peer's goroutine ends
			})
		})
	}
}

// A dead peer is detected whether the program blocks in Receive, polls, or does not
// receive.
func TestHeartbeatHoweverReceived(t *testing.T) {
	for name, receive := range map[string]func(c *Conn){
		"blocking": func(c *Conn) { <-receiveAll(c) },
		"polling": func(c *Conn) {
			for c.Err() == nil {
				c.TryReceive()
				time.Sleep(16 * time.Millisecond)
			}
		},
		"not at all": func(c *Conn) { <-c.Done() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport, _ := newCounter(func() (uint64, bool) { return 0, true })
				c := NewConn(transport, &Config{Heartbeat: beat()})
				began := time.Now()
				receive(c)
				if took := time.Since(began); !isTimeout(c.Err()) || took > 28*time.Second+16*time.Millisecond {
					t.Errorf("ended after %v with %v", took, c.Err())
				}
			})
		})
	}
}

func TestHeartbeatKeepsOnlyAnswersFromTheApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := beat()
		h.Message = Text("ping") // echoed
		c, peer := Pipe(&Config{Heartbeat: h}, nil)
		got := receiveAll(c)
		mustSend(t, peer, Text("ping")) // without a request
		synctest.Wait()
		time.Sleep(19 * time.Second)
		if m, err := peer.Receive(t.Context()); err != nil || m.String() != "ping" {
			t.Fatalf("the peer received %q, %v, want the heartbeat", m, err)
		}
		mustSend(t, peer, Binary([]byte("ping"))) // another kind is another message
		mustSend(t, peer, Text("ping"))           // the answer
		mustSend(t, peer, Text("ping"))
		synctest.Wait()
		c.Close(errors.NormalClosure, "")
		if m := <-got; len(m) != 3 {
			t.Errorf("received %q, want the three messages that answer no heartbeat", m)
		}
	})
}

func TestLatencyIsMeasuredByHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe(&Config{Heartbeat: beat()}, nil)
		receiveAll(c)
		if c.Latency() != 0 || peer.Latency() != 0 {
			t.Errorf("Latency = %v and %v before any heartbeat, want 0", c.Latency(), peer.Latency())
		}
		if _, err := peer.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(70 * time.Millisecond)
		mustSend(t, peer, beat().WithDefaults().Answer)
		synctest.Wait()
		if c.Latency() != 70*time.Millisecond {
			t.Errorf("Latency = %v, want 70ms", c.Latency())
		}
		c.Close(errors.NormalClosure, "")
	})
}

// counter is a transport whose arrivals the test decides.
type counter struct {
	*pipeEnd
	arrivals func() (uint64, bool)
	latency  time.Duration
	failed   *errors.ConnectionClosed
}

func (t *counter) Arrivals() (uint64, bool) { return t.arrivals() }

func (t *counter) Latency() time.Duration { return t.latency }

func (t *counter) Fail(cause *errors.ConnectionClosed) {
	t.failed = cause
	t.ending.Set(cause)
	t.inbox.End()
}

func newCounter(arrivals func() (uint64, bool)) (*counter, *pipeEnd) {
	a, b := newPipeEnd(nil), newPipeEnd(nil)
	a.peer, b.peer = b, a
	return &counter{pipeEnd: a, arrivals: arrivals}, b
}

func TestHeartbeatAsksTheTransportForLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Uint64
		var deaf atomic.Bool
		transport, peer := newCounter(func() (uint64, bool) { return n.Load(), !deaf.Load() })
		c := NewConn(transport, &Config{Heartbeat: beat()})
		for range 20 { // such as control frames, while the program does not receive
			time.Sleep(14 * time.Second)
			n.Add(1)
		}
		deaf.Store(true)
		time.Sleep(time.Hour)
		if c.Err() != nil {
			t.Fatalf("the connection ended while the transport could not listen: %v", c.Err())
		}
		deaf.Store(false)
		peer.Send(t.Context(), driver.Message(Text("arrived before")))
		time.Sleep(28 * time.Second)
		if !isTimeout(c.Err()) || transport.failed == nil {
			t.Fatalf("Err = %v, want the Ping/Pong timeout, through the transport's Fail", c.Err())
		}
		if m, err := c.Receive(t.Context()); err != nil || m.String() != "arrived before" {
			t.Errorf("Receive = %q, %v, want the message that had arrived before the end", m, err)
		}
		if _, err := c.Receive(t.Context()); !isTimeout(err) {
			t.Errorf("Receive = %v, want the Ping/Pong timeout", err)
		}
	})
}

func TestHeartbeatToleratesTimersThatAreHeld(t *testing.T) {
	// A browser runs the timers of a hidden page once a minute.
	const held = time.Minute
	t.Run("answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Uint64
			transport, peer := newCounter(func() (uint64, bool) {
				time.Sleep(held)
				return n.Load(), true
			})
			c := NewConn(transport, &Config{Heartbeat: beat()})
			// Answers arrive two minutes late: the network's events are delayed as
			// well.
			go func() {
				for c.Err() == nil {
					if _, ok, _ := peer.TryReceive(nil); ok {
						time.Sleep(held + 30*time.Second)
						n.Add(1)
					}
					time.Sleep(time.Second)
				}
			}()
			time.Sleep(time.Hour)
			if c.Err() != nil {
				t.Errorf("a delayed timer ended the connection: %v", c.Err())
			}
			c.Close(errors.NormalClosure, "")
			time.Sleep(2 * held) // the goroutines end
		})
	})
	t.Run("not answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			transport, _ := newCounter(func() (uint64, bool) {
				time.Sleep(held)
				return 0, true
			})
			c := NewConn(transport, &Config{Heartbeat: beat()})
			began := time.Now()
			<-c.Done()
			if took := time.Since(began); took > 6*held {
				t.Errorf("found after %v, want a few of the timer's minutes", took)
			}
		})
	})
}

func TestProbe(t *testing.T) {
	t.Run("of a dead link", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, _ := Pipe(&Config{Heartbeat: beat()}, nil)
			receiveAll(c)
			time.Sleep(time.Second)
			began := time.Now()
			for range 70 { // repeated returns of the user do not delay the end
				c.Probe()
				time.Sleep(100 * time.Millisecond)
			}
			<-c.Done()
			if took := time.Since(began); took != 8*time.Second {
				t.Errorf("found after %v, want the Timeout of 8s after the first Probe", took)
			}
			c.Probe()
		})
	})
	t.Run("of a live link", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c, peer := Pipe(&Config{Heartbeat: beat()}, &Config{AnswerHeartbeat: beat()})
			receiveAll(c)
			receiveAll(peer)
			for range 20 {
				c.Probe()
				time.Sleep(9 * time.Second)
			}
			if c.Err() != nil {
				t.Errorf("ended though the peer answers: %v", c.Err())
			}
			c.Close(errors.NormalClosure, "")
		})
	})
	t.Run("without a heartbeat", func(t *testing.T) {
		c, _ := Pipe(nil, nil)
		c.Probe()
		c.Close(errors.NormalClosure, "")
	})
}

func TestHeartbeatEndsWithNoSpaceToSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := Pipe(&Config{Heartbeat: beat(), SendBuffer: 10}, nil)
		receiveAll(c)
		mustSend(t, c, Text("fills the buffer"))
		began := time.Now()
		<-c.Done()
		if took := time.Since(began); took > 28*time.Second || !isTimeout(c.Err()) {
			t.Errorf("ended after %v with %v, want 1008 within 28s", took, c.Err())
		}
	})
}

func TestAnswerIsSkippedForPeerThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe(&Config{AnswerHeartbeat: beat(), SendBuffer: 10}, nil)
		mustSend(t, c, Text("fills the buffer"))
		mustSend(t, peer, beat().WithDefaults().Message)
		mustSend(t, peer, Text("behind it"))
		if m, err := c.Receive(t.Context()); err != nil || m.String() != "behind it" {
			t.Errorf("Receive = %q, %v, want the message after the heartbeat without a wait", m, err)
		}
		c.Close(errors.NormalClosure, "")
	})
}

func TestConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe(&Config{Heartbeat: beat()}, &Config{AnswerHeartbeat: beat()})
		receiveAll(c)
		mustSend(t, c, Text("one"))
		confirmed := make(chan error, 1)
		go func() { confirmed <- c.Confirm(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-confirmed:
			t.Fatalf("Confirm returned %v before the peer received anything", err)
		default:
		}
		if m, err := peer.Receive(t.Context()); err != nil || m.String() != "one" {
			t.Fatalf("the peer received %q, %v", m, err)
		}
		receiveAll(peer)
		if err := <-confirmed; err != nil {
			t.Errorf("Confirm = %v, want nil", err)
		}
		for range 50 { // at the same time
			go func() { confirmed <- c.Confirm(t.Context()) }()
		}
		for range 50 {
			if err := <-confirmed; err != nil {
				t.Errorf("Confirm = %v, want nil", err)
			}
		}
		c.Close(errors.NormalClosure, "")
		if err := c.Confirm(t.Context()); !errors.Is(err, errors.NormalClosure) {
			t.Errorf("Confirm = %v after the end, want the cause", err)
		}
	})
}

func TestConfirmFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := Pipe(&Config{Heartbeat: beat()}, nil)
		receiveAll(c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Confirm(ctx); !errors.Is(err, context.DeadlineExceeded) || c.Err() != nil {
			t.Errorf("Confirm = %v, Err = %v, want the end of ctx and an open connection", err, c.Err())
		}
		if err := c.Confirm(ctx); !errors.Is(err, context.DeadlineExceeded) || c.Err() != nil {
			t.Errorf("Confirm = %v, Err = %v, want the end of ctx and an open connection", err, c.Err())
		}
		if err := peer.Confirm(t.Context()); !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, errors.ErrWebSocket) {
			t.Errorf("Confirm = %v without a Heartbeat, want ErrUnsupported", err)
		}
		go func() {
			time.Sleep(time.Second)
			peer.Close(errors.GoingAway, "")
		}()
		if err := c.Confirm(t.Context()); !errors.Is(err, errors.GoingAway) {
			t.Errorf("Confirm = %v, want the peer's 1001", err)
		}
	})
}

func TestLatencyPrefersTheTransport(t *testing.T) {
	transport, _ := newCounter(nil)
	transport.latency = 5 * time.Millisecond
	c := NewConn(transport, nil)
	if c.Latency() != 5*time.Millisecond {
		t.Errorf("Latency = %v, want the transport's 5ms", c.Latency())
	}
	c.Close(errors.NormalClosure, "")
}

func TestHeartbeatCheck(t *testing.T) {
	for _, tt := range []struct {
		name      string
		heartbeat *Heartbeat
		limit     int
		want      string // in the error, "" for none
		is        error
	}{
		{"nil", nil, 0, "", nil},
		{"zero", &Heartbeat{}, 1, "", nil},
		{"echo", &Heartbeat{Message: Binary([]byte{0xff})}, 0, "", nil},
		{"no kind", &Heartbeat{Message: Message{Data: []byte("x")}}, 0, "Heartbeat.Message: websocket: invalid message kind 0", nil},
		{"message not UTF-8", &Heartbeat{Message: Text("\xff")}, 0, "Heartbeat.Message", errors.ErrInvalidUTF8},
		{"answer not UTF-8", &Heartbeat{Answer: Text("\xff")}, 0, "Heartbeat.Answer", errors.ErrInvalidUTF8},
		{"too big", &Heartbeat{Message: Text("long")}, 3, "4 bytes, MaxMessageSize is 3", errors.ErrMessageTooBig},
		{"interval", &Heartbeat{Every: -1}, 0, "Heartbeat.Every", nil},
		{"timeout", &Heartbeat{Timeout: -1}, 0, "Heartbeat.Timeout", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.heartbeat.Check(tt.limit)
			if tt.want == "" {
				if err != nil {
					t.Errorf("Check = %v, want nil", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, errors.ErrWebSocket) {
				t.Errorf("Check = %v, want an ErrWebSocket with %q", err, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Check = %v, want it to be %v", err, tt.is)
			}
		})
	}
}
