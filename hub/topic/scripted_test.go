package topic

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// script is a Client whose connections are pipes to a server that the test plays.
type script struct {
	*testing.T
	client *Client
	served sync.WaitGroup
}

// play runs a test in a bubble.
func play(t *testing.T, f func(s *script)) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{done: make(chan struct{}), session: "session-"}
		c.ctx, c.cancel = context.WithCancel(t.Context())
		s := &script{T: t, client: c}
		f(s)
		c.Close(errors.NormalClosure, "")
		s.served.Wait()
		c.finish(nil)
		synctest.Wait()
	})
}

// connect returns the server's end of a new connection.
func (s *script) connect() *server {
	near, far := ws.Pipe(nil, nil)
	s.served.Go(func() {
		s.client.serve(near)
		near.CloseNow(errors.NormalClosure, "")
	})
	return &server{s.T, far}
}

type server struct {
	*testing.T
	conn *ws.Conn
}

// expect fails the test unless these are the next requests.
func (s *server) expect(want ...string) {
	s.Helper()
	for _, w := range want {
		ctx, cancel := context.WithTimeout(s.Context(), time.Hour)
		m, err := s.conn.Receive(ctx)
		cancel()
		if err != nil || m.String() != w {
			s.Fatalf("the client sent %q, %v, want %q", m.Data, err, w)
		}
	}
}

func (s *server) send(texts ...string) {
	s.Helper()
	for _, text := range texts {
		if err := s.conn.Send(s.Context(), ws.Text(text)); err != nil {
			s.Fatal(err)
		}
	}
	synctest.Wait()
}

func (s *server) cut() {
	s.conn.CloseNow(errors.GoingAway, "")
	synctest.Wait()
}

// TestAScript shows the messages of both sides, with a cut.
func TestAScript(t *testing.T) {
	play(t, func(s *script) {
		lobby := s.client.Subscribe("the lobby", nil)
		one := s.connect()
		one.expect("sub 1 the%20lobby ")
		one.send("ok 1 e-1", "msg the%20lobby e-2 key\nhello")
		if m, err := lobby.Receive(s.Context()); err != nil || m.String() != "hello" || m.Key != "key" || m.Position != "e-2" {
			t.Errorf("received %+v, %v", m, err)
		}
		one.send("msg the%20lobby e-3 \nnot read yet")
		answers := make(chan answer)
		go func() {
			at, err := s.client.Publish(s.Context(), "the lobby", ws.Text("mine"), nil)
			answers <- answer{at, err}
		}()
		one.expect("pub 2 the%20lobby session-1 \nmine")
		one.cut()
		two := s.connect()
		two.expect("sub 1 the%20lobby e-3", "pub 2 the%20lobby session-1 \nmine")
		two.send("ok 2 e-4", "ok 1 e-3", "gap the%20lobby e-3 e-9", "msg the%20lobby e-10 \nafter the gap")
		if a := <-answers; a.at != "e-4" || a.err != nil {
			t.Errorf("Publish returned %+v", a)
		}
		if m, err := lobby.Receive(s.Context()); err != nil || m.String() != "not read yet" {
			t.Errorf("received %q, %v", m.Data, err)
		}
		_, err := lobby.Receive(s.Context())
		if gap, ok := errors.AsType[*Gap](err); !ok || *gap != (Gap{"the lobby", "e-3", "e-9"}) {
			t.Errorf("received %v, want the gap", err)
		}
		if m, err := lobby.Receive(s.Context()); err != nil || m.String() != "after the gap" {
			t.Errorf("received %q, %v", m.Data, err)
		}
		lobby.Leave()
		two.expect("leave 3 the%20lobby")
		again := s.client.Subscribe("the lobby", nil)
		two.expect("sub 4 the%20lobby ")
		two.send("msg the%20lobby e-11 \nof the old one", "end the%20lobby 1 denied", "ok 3", "ok 4 e-11", "msg the%20lobby e-12 \nnew")
		if m, err := again.Receive(s.Context()); err != nil || m.String() != "new" {
			t.Errorf("received %q, %v", m.Data, err)
		}
	})
}

// TestRequestsAreRepeated has a server that refuses for now.
func TestRequestsAreRepeated(t *testing.T) {
	play(t, func(s *script) {
		one := s.connect()
		began := time.Now()
		lobby := s.client.Subscribe("t", nil)
		one.expect("sub 1 t ")
		one.send("no 1 rate\ntoo often")
		one.expect("sub 2 t ")
		if waited := time.Since(began); waited < time.Second || waited > 2*time.Second {
			t.Errorf("the second attempt came after %v", waited)
		}
		began = time.Now()
		for n := 2; n < 8; n++ {
			one.send(fmt.Sprintf("no %d failed", n))
			one.expect(fmt.Sprintf("sub %d t ", n+1))
		}
		if waited := time.Since(began); waited < 90*time.Second || waited > 120*time.Second { // at least 2, 4, 8, 16, 30 and 30
			t.Errorf("the next six attempts took %v", waited)
		}
		go s.client.Publish(s.Context(), "t", ws.Text("x"), nil)
		one.expect("pub 9 t session-1 \nx")
		one.send("no 9 rate")
		one.expect("pub a t session-1 \nx")
		one.send("ok a e-1", "no 8 limit\ntoo many topics")
		_, err := lobby.Receive(s.Context())
		if refused, ok := errors.AsType[*RefusedError](err); !ok || *refused != (RefusedError{"t", Limit, "too many topics"}) {
			t.Errorf("Receive returned %v", err)
		}
	})
}

// TestForgottenPublication does not send a message again that the server may have forgotten.
func TestForgottenPublication(t *testing.T) {
	play(t, func(s *script) {
		one := s.connect()
		answers := make(chan error, 2)
		publish := func() {
			_, err := s.client.Publish(s.Context(), "t", ws.Text("x"), nil)
			answers <- err
		}
		go publish()
		one.expect("pub 1 t session-1 \nx")
		one.cut()
		time.Sleep(90 * time.Second)
		two := s.connect()
		two.expect("pub 1 t session-1 \nx")
		two.cut()
		time.Sleep(20 * time.Second)
		go publish() // was never sent
		synctest.Wait()
		three := s.connect()
		if err := <-answers; !errors.Is(err, errors.ErrUnconfirmed) {
			t.Errorf("Publish returned %v", err)
		}
		three.expect("pub 1 t session-2 \nx")
		three.send("ok 1 e-1")
		if err := <-answers; err != nil {
			t.Errorf("the second Publish returned %v", err)
		}
	})
}

// TestPausedSubscription fills a buffer of four messages.
func TestPausedSubscription(t *testing.T) {
	play(t, func(s *script) {
		one := s.connect()
		sub := s.client.Subscribe("t", &SubscribeOptions{Since: "e-0", Buffer: 4 * (1 + overhead)})
		one.expect("sub 1 t e-0")
		one.send("ok 1 e-0", "msg t e-1 \n1", "msg t e-2 \n2", "msg t e-3 \n3")
		one.expect("pause 2 t")
		one.send("msg t e-4 \n4", "msg t e-5 \n5", "msg t e-6 \n6") // the last two do not fit
		receive := func(want ...string) {
			t.Helper()
			for _, w := range want {
				if m, err := sub.Receive(s.Context()); err != nil || m.String() != w {
					t.Fatalf("received %q, %v, want %q", m.Data, err, w)
				}
			}
		}
		receive("1", "2", "3")
		one.send("msg t e-7 \n7", "ok 2") // there was space, but 5 and 6 are missing
		one.expect("sub 3 t e-4")
		one.send("ok 3 e-4", "msg t e-5 \n5")
		receive("4", "5")
		one.send("msg t e-6 \n6", "msg t e-7 \n7", "msg t e-8 \n8")
		one.expect("pause 4 t")
		one.cut()
		two := s.connect()
		two.expect("sub 1 t e-8", "pause 2 t")
		two.send("ok 1 e-8", "ok 2")
		receive("6", "7")
		two.expect("sub 3 t e-8")
		two.send("ok 3 e-8", "msg t e-9 \n9")
		receive("8", "9")
	})
}

func TestWatchesAreRenewed(t *testing.T) {
	play(t, func(s *script) {
		sub := s.client.Subscribe("t", nil)
		one := s.connect()
		one.expect("sub 1 t ")
		var seen []string
		ctx, cancel := context.WithCancel(s.Context())
		var watching sync.WaitGroup
		watching.Go(func() {
			for p, err := range sub.Present(ctx) {
				if err != nil {
					seen = append(seen, "error")
					return
				}
				sign := "-"
				if p.Here {
					sign = "+"
				}
				seen = append(seen, sign+p.Key+p.Info)
			}
		})
		synctest.Wait()
		check := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := strings.Join(seen, " "); got != want {
				t.Errorf("seen %q, want %q", got, want)
			}
			seen = nil
		}
		one.send("ok 1 e-1")
		one.expect("watch 2 t")
		one.send("ok 2", "here 2 ann\n1", "here 2 bob\n1", "all 2", "here 9 of%20another")
		check("+ann1 +bob1")
		one.send("here 2 ann\n2", "here 2 cid", "gone 2 bob", "gone 2 bob")
		check("+ann2 +cid -bob")
		one.cut()
		two := s.connect()
		two.expect("sub 1 t e-1")
		two.send("ok 1 e-1")
		two.expect("watch 2 t")
		two.send("ok 2", "here 2 ann\n2", "here 2 dan")
		check("+dan")
		two.send("all 2")
		check("-cid")
		two.send("no 2 failed\nno engine")
		two.expect("watch 3 t")
		two.send("ok 3", "here 3 ann\n2", "all 3")
		check("-dan")
		cancel()
		watching.Wait()
		check("error")
		two.expect("unwatch 4 3")
		two.send("ok 4", "here 3 late")
		sub.Leave()
		for _, err := range sub.Present(s.Context()) {
			if err != ErrLeft {
				t.Errorf("after Leave Present yielded %v", err)
			}
		}
	})
}

// TestABrokenServer ends the connection.
func TestABrokenServer(t *testing.T) {
	play(t, func(s *script) {
		one := s.connect()
		one.send("%")
		_, err := one.conn.Receive(s.Context())
		if closed, ok := errors.AsType[*errors.ConnectionClosed](err); !ok || closed.Reason != errors.PolicyViolation || !strings.Contains(closed.Message, "two hexadecimal digits") {
			t.Errorf("the connection ended with %v", err)
		}
	})
}

func TestInvalidOptions(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := NewClient(ctx, "ws://127.0.0.1:1/", &Options{Reconnect: &isosocket.ReconnectOptions{Dial: &isosocket.DialOptions{Subprotocols: []string{"x"}}}})
	<-c.Done()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "must not have Subprotocols") || !errors.Is(err, errors.ErrWebSocket) {
		t.Errorf("the client ended with %v", err)
	}
	c = NewClient(ctx, "ws://127.0.0.1:1/", nil)
	<-c.Done()
	if err := c.Err(); !errors.Is(err, context.Canceled) || !errors.Is(err, errors.GoingAway) {
		t.Errorf("the client ended with %v", err)
	}
	play(t, func(s *script) {
		long := strings.Repeat("x", 256)
		for _, c := range []struct {
			name, topic string
			o           *SubscribeOptions
			want        string
		}{
			{"no name", "", nil, "the topic has no name"},
			{"long", long, nil, "at most 255 bytes"},
			{"not UTF-8", "\xff", nil, "must be UTF-8"},
			{"position", "t", &SubscribeOptions{Since: Position(long)}, "at most 255 bytes"},
			{"buffer", "t", &SubscribeOptions{Buffer: -1}, "SubscribeOptions.Buffer is negative"},
			{"oldest", "t", &SubscribeOptions{Oldest: true, Since: "e-1"}, "SubscribeOptions.Oldest is set, and Since too"},
		} {
			sub := s.client.Subscribe(c.topic, c.o)
			if err := sub.Err(); err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, errors.ErrWebSocket) {
				t.Errorf("%s: the subscription ended with %v", c.name, err)
			}
			if _, err := sub.Receive(s.Context()); err != sub.Err() {
				t.Errorf("%s: Receive returned %v", c.name, err)
			}
		}
		for _, o := range []*PublishOptions{{ID: long}, {Key: long}, {Key: "\xff"}} {
			if _, err := s.client.Publish(s.Context(), "t", ws.Text("x"), o); err == nil {
				t.Errorf("Publish accepted %q", o)
			}
		}
		if _, err := s.client.Publish(s.Context(), "t", ws.Message{Kind: ws.KindText, Data: []byte{255}}, nil); !errors.Is(err, errors.ErrInvalidUTF8) {
			t.Errorf("Publish of text that is none returned %v", err)
		}
	})
}

// FuzzServerMessages gives a client any messages of a server.
func FuzzServerMessages(f *testing.F) {
	f.Add("ok 1 e-1\x1emsg t e-2 k\nhello\x1egap t e-2 e-3\x1eend t 1 denied")
	f.Add("no 1 rate\x1eno 2 denied\x1eok 2")
	f.Add("ok 1\x1eok 2\x1ehere 2 ann\x1eall 2\x1egone 2 ann\x1eno 2 failed")
	f.Fuzz(func(t *testing.T, texts string) {
		c := &Client{done: make(chan struct{})}
		c.ctx, c.cancel = context.WithCancel(t.Context())
		defer c.cancel()
		near, far := ws.Pipe(nil, nil)
		defer near.CloseNow(errors.NormalClosure, "")
		defer far.CloseNow(errors.NormalClosure, "")
		l := &link{
			conn: near, signal: make(chan struct{}, 1),
			requests: make(map[string]func(*topicwire.Frame)), stale: make(map[string]int), watches: make(map[string]*watch),
		}
		c.link = l
		sub := c.Subscribe("t", &SubscribeOptions{Buffer: 200})
		w := &watch{subscription: sub, here: map[string]string{}, told: map[string]string{}, dirty: map[string]bool{}}
		sub.watches = append(sub.watches, w)
		w.begin(l)
		c.mu.Lock()
		for text := range strings.SplitSeq(texts, "\x1e") {
			if frame, err := topicwire.Parse(ws.Binary([]byte(text))); err == nil {
				c.take(l, &frame)
				w.changes()
			}
		}
		c.mu.Unlock()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for {
			_, err := sub.Receive(ended)
			if _, gap := err.(*Gap); err != nil && !gap {
				break
			}
		}
		if sub.bytes != 0 || len(sub.queue) != 0 {
			t.Errorf("%d messages and %d bytes are left", len(sub.queue), sub.bytes)
		}
	})
}
