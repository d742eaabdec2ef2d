package topics_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub/topic"
	"github.com/isosocket/isosocket/ws"
)

// world is a server, and a client for commands without the proxy.
type world struct {
	*testing.T
	url   string
	admin *topic.Client
	name  string // begins the names of topics: in a browser the tests share a server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url, direct := urls(t)
	w := &world{T: t, url: url, name: t.Name() + strconv.FormatInt(time.Now().UnixNano(), 36)}
	w.admin = w.client(direct, "admin")
	return w
}

// client returns a Client that reconnects soon.
func (w *world) client(url, query string) *topic.Client {
	w.Helper()
	c := topic.NewClient(w.Context(), url+"?"+query, &topic.Options{Reconnect: &isosocket.ReconnectOptions{
		BaseDelay: 20 * time.Millisecond, MaxDelay: 100 * time.Millisecond,
		Dial: &isosocket.DialOptions{DisableStatusProbe: true},
	}})
	w.Cleanup(func() {
		c.Close(errors.NormalClosure, "")
		<-c.Done()
	})
	return c
}

// command gives the server a command.
func (w *world) command(format string, args ...any) {
	w.Helper()
	if _, err := w.admin.Publish(w.soon(), commands, ws.Text(fmt.Sprintf(format, args...)), nil); err != nil {
		w.Fatal(err)
	}
}

// soon returns a context that ends after a time that nothing should take.
func (w *world) soon() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) publish(topic, text string) topic.Position {
	w.Helper()
	p, err := w.admin.Publish(w.soon(), topic, ws.Text(text), nil)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// joined waits until the server has accepted a subscription.
func (w *world) joined(s *topic.Subscription) *topic.Subscription {
	w.Helper()
	for ctx := w.soon(); s.Position() == ""; time.Sleep(time.Millisecond) {
		if s.Err() != nil || ctx.Err() != nil {
			w.Fatalf("not subscribed: %v, %v", s.Err(), ctx.Err())
		}
	}
	return s
}

func (w *world) expect(s *topic.Subscription, want ...string) {
	w.Helper()
	for _, text := range want {
		m, err := s.Receive(w.soon())
		if _, ok := errors.AsType[*topic.Gap](err); ok && text == "gap" {
			continue
		}
		if err != nil || m.String() != text {
			w.Fatalf("received %q, %v, want %q", m.Data, err, text)
		}
		if m.Position != s.Position() || m.Topic != s.Topic() {
			w.Errorf("position %q, and the subscription is at %q", m.Position, s.Position())
		}
	}
}

func (w *world) expectNothing(s *topic.Subscription) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	if m, err := s.Receive(ctx); !errors.Is(err, context.Canceled) {
		w.Fatalf("received %q, %v, want nothing", m.Data, err)
	}
}

func TestPublishAndReceive(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.url, "user=ann")
	one, two := w.joined(c.Subscribe(w.name+"/ä 1\n", nil)), w.joined(c.Subscribe(w.name+"/2", nil))
	for i := range 3 {
		text := fmt.Sprint(i)
		at, err := c.Publish(w.soon(), one.Topic(), ws.Text(text), &topic.PublishOptions{Key: "k"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := one.Receive(w.soon())
		if err != nil || m.String() != text || m.Position != at || m.Key != "k" || m.Kind != ws.KindText {
			t.Fatalf("received %+v, %v", m, err)
		}
	}
	binary := []byte("\x00\n\xff")
	if _, err := c.Publish(w.soon(), two.Topic(), ws.Binary(binary), nil); err != nil {
		t.Fatal(err)
	}
	if m, err := two.Receive(w.soon()); err != nil || m.Kind != ws.KindBinary || m.String() != string(binary) {
		t.Errorf("received %v %q, %v", m.Kind, m.Data, err)
	}
	w.expectNothing(one)
}

// TestTheSameID publishes twice with one ID.
func TestTheSameID(t *testing.T) {
	w := newWorld(t)
	s := w.joined(w.client(w.url, "user=ann").Subscribe(w.name, nil))
	o := &topic.PublishOptions{ID: w.name}
	first, err1 := w.admin.Publish(w.soon(), w.name, ws.Text("once"), o)
	second, err2 := w.admin.Publish(w.soon(), w.name, ws.Text("once"), o)
	if err1 != nil || err2 != nil || first != second {
		t.Errorf("published at %q, %v and %q, %v", first, err1, second, err2)
	}
	w.publish(w.name, "other")
	w.expect(s, "once", "other")
}

func TestLeave(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.url, "user=ann")
	s := w.joined(c.Subscribe(w.name, nil))
	if twice := c.Subscribe(w.name, nil); twice.Err() != topic.ErrSubscribed {
		t.Errorf("the second subscription: %v", twice.Err())
	}
	for i := range 20 {
		w.publish(w.name, "before")
		s.Leave()
		s.Leave()
		if _, err := s.Receive(w.soon()); err != topic.ErrLeft || s.Err() != topic.ErrLeft {
			t.Fatalf("after Leave Receive returned %v", err)
		}
		for m, err := range s.Messages(w.soon()) {
			t.Fatalf("after Leave Messages yielded %v, %v", m, err)
		}
		s = c.Subscribe(w.name, nil) // while messages of the old one may be on their way
		w.joined(s)
		w.publish(w.name, fmt.Sprint(i))
		w.expect(s, fmt.Sprint(i))
	}
}

// TestReconnect loses connections while messages are published through them. All of them must
// arrive once and in order.
func TestReconnect(t *testing.T) {
	const topics, cuts = 3, 15
	w := newWorld(t)
	c, publisher := w.client(w.url, "user=ann"), w.client(w.url, "user=bob")
	var subscriptions []*topic.Subscription
	for i := range topics {
		subscriptions = append(subscriptions, w.joined(c.Subscribe(fmt.Sprint(w.name, "/", i), nil)))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all sync.WaitGroup
	stop := make(chan struct{})
	for i, s := range subscriptions {
		all.Go(func() {
			for n := 0; ; n++ {
				text := fmt.Sprint(n)
				select {
				case <-stop:
					text = "end"
				default:
				}
				if _, err := publisher.Publish(ctx, s.Topic(), ws.Text(text), nil); err != nil {
					t.Errorf("topic %d, message %d: %v", i, n, err)
					return
				}
				if text == "end" {
					return
				}
			}
		})
		all.Go(func() {
			for n := 0; ; n++ {
				m, err := s.Receive(ctx)
				if err == nil && m.String() == "end" {
					t.Logf("topic %d: %d messages", i, n)
					return
				}
				if err != nil || m.String() != fmt.Sprint(n) {
					t.Errorf("topic %d, message %d: %q, %v", i, n, m.Data, err)
					return
				}
			}
		})
	}
	for range cuts {
		time.Sleep(70 * time.Millisecond)
		w.command("down 10")
	}
	close(stop)
	all.Wait()
	for _, s := range subscriptions {
		w.expectNothing(s)
	}
}

// TestResumeLater continues from a stored position with another Client.
func TestResumeLater(t *testing.T) {
	w := newWorld(t)
	first := w.client(w.url, "user=ann")
	s := w.joined(first.Subscribe(w.name, nil))
	stored := s.Position()
	w.publish(w.name, "1")
	w.publish(w.name, "2")
	w.publish(w.name, "3")
	w.expect(s, "1", "2")
	first.Close(errors.NormalClosure, "")
	if _, err := s.Receive(w.soon()); !errors.Is(err, errors.NormalClosure) {
		t.Errorf("after Close Receive returned %v", err)
	}
	second := w.client(w.url, "user=ann")
	w.expect(second.Subscribe(w.name, &topic.SubscribeOptions{Since: s.Position()}), "3")
	third := w.client(w.url, "user=ann")
	w.expect(third.Subscribe(w.name, &topic.SubscribeOptions{Since: stored}), "1", "2", "3")
	fourth := w.client(w.url, "user=ann")
	w.expect(fourth.Subscribe(w.name, &topic.SubscribeOptions{Oldest: true}), "1", "2", "3")
}

func TestGap(t *testing.T) {
	w := newWorld(t)
	name := "short" + w.name
	start := w.publish(name, "start")
	w.command("flood %s 10", name)
	s := w.client(w.url, "user=ann").Subscribe(name, &topic.SubscribeOptions{Since: start})
	_, err := s.Receive(w.soon())
	gap, ok := errors.AsType[*topic.Gap](err)
	if !ok || gap.After != start || gap.Until == "" || gap.Topic != name || s.Position() != gap.Until {
		t.Fatalf("received %v, want a gap", err)
	}
	w.expect(s, "5", "6", "7", "8", "9")
	if s.Err() != nil {
		t.Error("the gap was an end:", s.Err())
	}
	w.publish(name, "live")
	for m, err := range s.Messages(w.soon()) {
		if err != nil || m.String() != "live" {
			t.Errorf("received %q, %v", m.Data, err)
		}
		break
	}
}

// TestSlowProgram has a program that does not read one of two topics.
func TestSlowProgram(t *testing.T) {
	const messages = 5000
	w := newWorld(t)
	c := w.client(w.url, "user=ann")
	slow := w.joined(c.Subscribe(w.name+"/slow", &topic.SubscribeOptions{Buffer: 20_000}))
	other := w.joined(c.Subscribe(w.name+"/other", nil))
	w.command("flood %s %d", slow.Topic(), messages)
	w.publish(other.Topic(), "not delayed")
	w.expect(other, "not delayed")
	w.command("down 10") // and it is still paused on the next connection
	w.publish(other.Topic(), "not delayed")
	w.expect(other, "not delayed")
	for i := range messages {
		w.expect(slow, fmt.Sprint(i))
	}
	w.expectNothing(slow)
}

// TestSlowProgramWithoutHistory has a gap where history was too short.
func TestSlowProgramWithoutHistory(t *testing.T) {
	w := newWorld(t)
	name := "short" + w.name
	s := w.joined(w.client(w.url, "user=ann").Subscribe(name, &topic.SubscribeOptions{Buffer: 300}))
	w.command("flood %s 100", name)
	for next := 0; next < 100; {
		m, err := s.Receive(w.soon())
		if _, ok := errors.AsType[*topic.Gap](err); ok {
			m, err = s.Receive(w.soon())
			if n, _ := strconv.Atoi(m.String()); n <= next {
				t.Fatalf("after the gap %q, before it %d", m.Data, next-1)
			}
			next, _ = strconv.Atoi(m.String())
		}
		if err != nil || m.String() != fmt.Sprint(next) {
			t.Fatalf("received %q, %v, want %d", m.Data, err, next)
		}
		next++
	}
}

// TestLoad has a program that loads a state and never sees a gap.
func TestLoad(t *testing.T) {
	w := newWorld(t)
	name := "short" + w.name
	loads := 0
	var load func() topic.Position
	s := w.client(w.url, "user=ann").Subscribe(name, &topic.SubscribeOptions{
		Buffer: 300,
		Load: func(context.Context) (topic.Position, error) {
			if loads++; loads == 1 {
				return "", errors.New("no database")
			}
			return load(), nil
		},
	})
	if _, err := s.Receive(w.soon()); err == nil || err.Error() != "no database" {
		t.Fatalf("Receive returned %v, want the error of Load", err)
	}
	var state topic.Position
	load = func() topic.Position {
		w.publish(name, "in the state")
		state = w.publish(name, "in the state, too")
		w.publish(name, "1")
		return state
	}
	w.expect(s, "1")
	load = func() topic.Position { return "" }
	w.command("flood %s 100", name)
	last := -1
	for last < 99 {
		m, err := s.Receive(w.soon())
		n, _ := strconv.Atoi(m.String())
		if err != nil || n <= last {
			t.Fatalf("received %q, %v, after %d", m.Data, err, last)
		}
		last = n
	}
	if loads < 3 {
		t.Errorf("Load was called %d times: there was no gap", loads)
	}
	// until receives messages until one, after a gap, and returns those before it.
	until := func(want string) (before []string) {
		t.Helper()
		w.command("flood %s 100", name)
		for {
			m, err := s.Receive(w.soon())
			switch {
			case err != nil:
				t.Fatal(err)
			case m.String() == want:
				return before
			}
			before = append(before, m.String())
		}
	}
	load = func() topic.Position { // a position that may not have arrived yet
		at := w.publish(name, "in the state")
		w.publish(name, "first")
		return at
	}
	for _, text := range until("first") {
		if text == "in the state" {
			t.Error("a message arrived that the state has")
		}
	}
	load = func() topic.Position { // one that is long past, so that a gap follows
		load = func() topic.Position {
			w.publish(name, "second")
			return ""
		}
		return state
	}
	until("second")
}

func TestPresent(t *testing.T) {
	w := newWorld(t)
	ann := w.client(w.url, "user=ann")
	s := ann.Subscribe(w.name, nil)
	changes := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p, err := range s.Present(ctx) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				return
			}
			changes <- fmt.Sprint(p.Key, " ", p.Here, " ", p.Info)
		}
	}()
	next := func(want string) {
		t.Helper()
		select {
		case got := <-changes:
			if got != want {
				t.Errorf("presence %q, want %q", got, want)
			}
		case <-w.soon().Done():
			t.Fatalf("no presence, want %q", want)
		}
	}
	next("ann true info of ann")
	_, direct := w.url, w.url
	bob := w.client(direct, "user=bob")
	atBob := w.joined(bob.Subscribe(w.name, nil))
	next("bob true info of bob")
	atBob.Leave()
	next("bob false ")
	w.joined(bob.Subscribe(w.name, nil))
	next("bob true info of bob")
	// A reconnect is no change; who has left meanwhile is one.
	w.command("down 50")
	w.publish(w.name, "after")
	w.expect(s, "after")
	bob.Close(errors.NormalClosure, "")
	next("bob false ")
	cancel()
	<-done
	select {
	case got := <-changes:
		t.Errorf("presence %q, want no more", got)
	default:
	}
	private := ann.Subscribe("private", nil)
	defer private.Leave()
	for _, err := range private.Present(w.soon()) {
		if refused, ok := errors.AsType[*topic.RefusedError](err); !ok || refused.Code != topic.Denied {
			t.Errorf("in a private topic the error is %v", err)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.url, "user="+w.name)
	refused := func(what string, err error, code, text string) {
		t.Helper()
		if r, ok := errors.AsType[*topic.RefusedError](err); !ok || r.Code != code || r.Text != text || !errors.Is(err, errors.ErrWebSocket) {
			t.Errorf("%s: %v, want %s %q", what, err, code, text)
		}
	}
	secret := c.Subscribe("secret", nil)
	_, err := secret.Receive(w.soon())
	refused("subscribe", err, topic.Denied, "it is secret")
	refused("Err", secret.Err(), topic.Denied, "it is secret")
	_, err = c.Publish(w.soon(), "secret", ws.Text("x"), nil)
	refused("publish", err, topic.Denied, "it is secret")
	_, err = c.Subscribe(w.name, &topic.SubscribeOptions{Since: "?"}).Receive(w.soon())
	refused("position", err, topic.Invalid, `hub: invalid position "?"; allowed is a text that Position.String returned`)
	_, err = c.Publish(w.soon(), w.name, ws.Binary(make([]byte, 1<<20+1)), nil)
	refused("size", err, topic.Limit, "hub: limit exceeded: Limits.MessageSize allows 1048576, and this would be 1048577")
	_, err = c.Publish(w.soon(), w.name, ws.Binary(make([]byte, 2<<20)), nil)
	if r, ok := errors.AsType[*topic.RefusedError](err); !ok || r.Code != topic.Limit {
		t.Errorf("a message that the connection does not send: %v", err)
	}

	later := w.client(w.url, "user=ann").Subscribe("later", nil)
	w.joined(later)
	s := w.joined(c.Subscribe(w.name, nil))
	w.command("end %s %s", w.name, w.name)
	_, err = s.Receive(w.soon())
	refused("end", err, topic.Denied, "the server has ended the subscription")
	w.joined(c.Subscribe(w.name, nil))
	w.command("kick %s", w.name)
	<-c.Done()
	if closed, ok := errors.AsType[*errors.ConnectionClosed](c.Err()); !ok || closed.Reason != 4403 {
		t.Errorf("after Disconnect the client ended with %v", c.Err())
	}
	if _, err := c.Publish(w.soon(), w.name, ws.Text("x"), nil); !errors.Is(err, errors.CloseReason(4403)) {
		t.Errorf("then Publish returned %v", err)
	}
	if s := c.Subscribe("x", nil); !errors.Is(s.Err(), errors.CloseReason(4403)) {
		t.Errorf("then Subscribe returned %v", s.Err())
	}
}

// TestExpired has a connection whose rights expire again and again.
func TestExpired(t *testing.T) {
	w := newWorld(t)
	s := w.joined(w.client(w.url, "user=ann&expires=50").Subscribe(w.name, nil))
	for i := range 50 {
		w.publish(w.name, fmt.Sprint(i))
		time.Sleep(5 * time.Millisecond)
	}
	for i := range 50 {
		w.expect(s, fmt.Sprint(i))
	}
}

// TestPublishWithoutAConnection ends the wait with a context.
func TestPublishWithoutAConnection(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.url, "user=ann")
	s := w.joined(c.Subscribe(w.name, nil))
	w.command("down 300")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Publish(ctx, w.name, ws.Text("lost"), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Publish returned %v", err)
	}
	if _, err := c.Publish(w.soon(), w.name, ws.Text("waits"), nil); err != nil {
		t.Fatal(err)
	}
	w.expect(s, "waits")
}
