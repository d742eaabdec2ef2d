//go:build !js

package topicserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/hub/topicserver"
	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws"
)

func TestSubscribeAndPublish(t *testing.T) {
	_, url := serve(t, newHub(t, nil), all, nil)
	ann, bob := dial(t, url), dial(t, url)
	if got := ann.ask("sub 1 a%20topic "); got != "ok 1 P" {
		t.Fatalf("the answer is %q", got)
	}
	ann.send("sub 2 second")
	ann.expect("ok 2 P")
	bob.send("pub 7 a%20topic  key\nhello\nworld")
	bob.expect("ok 7 P")
	ann.expect("msg a%20topic P key\nhello\nworld")
	if err := bob.conn.Send(t.Context(), ws.Binary([]byte("pub 8 second\n\xff\x00"))); err != nil {
		t.Fatal(err)
	}
	bob.expect("ok 8 P")
	m, err := ann.conn.Receive(t.Context())
	if err != nil || m.Kind != ws.KindBinary || !strings.HasSuffix(m.String(), "\n\xff\x00") {
		t.Errorf("received %v %q, %v", m.Kind, m.Data, err)
	}
	ann.send("leave 3 second", "leave 4 second")
	ann.expect("ok 3 ", "ok 4 ")
	bob.send("pub 9 second\nnobody hears it", "pub 10 a%20topic\nthe end")
	bob.expect("ok 9 P", "ok 10 P")
	ann.expect("msg a%20topic P \nthe end")
}

// TestTheSameIDTwice publishes one message twice, as a client does that has not got the answer.
func TestTheSameIDTwice(t *testing.T) {
	_, url := serve(t, newHub(t, nil), all, nil)
	ann, bob := dial(t, url), dial(t, url)
	ann.ask("sub 1 t")
	first := bob.answered("pub 1 t id-1\nonce")
	if again := bob.answered("pub 2 t id-1\nonce"); again != first {
		t.Errorf("the second time the position is %q, was %q", again, first)
	}
	bob.answered("pub 3 t id-2\nother")
	ann.expect("msg t P \nonce", "msg t P \nother")
}

func TestRecovery(t *testing.T) {
	h := newHub(t, &hub.Options{Rules: func(string) hub.Rules { return hub.Rules{History: 2} }})
	a := all
	history := true
	a.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
		return topicserver.Grant{History: history}, nil
	}
	_, url := serve(t, h, a, nil)
	ann, bob := dial(t, url), dial(t, url)
	start := ann.answered("sub 1 t")
	var positions []string
	for i := range 4 {
		positions = append(positions, bob.answered(fmt.Sprintf("pub 2 t\n%d", i)))
		ann.expect(fmt.Sprintf("msg t P \n%d", i))
	}
	ann.send("leave 3 t")
	ann.expect("ok 3 ")
	for _, c := range []struct {
		since string
		want  []string
	}{
		{"", nil},
		{positions[3], nil},
		{positions[2], []string{"msg t P \n3"}},
		{positions[1], []string{"msg t P \n2", "msg t P \n3"}},
		{start, []string{"gap t P P", "msg t P \n2", "msg t P \n3"}},
		{"*", []string{"msg t P \n2", "msg t P \n3"}},
	} {
		ann.send("sub 4 t " + c.since)
		if got := ann.receive(); !strings.HasPrefix(got, "ok 4 ") {
			t.Fatalf("since %q: the answer is %q", c.since, got)
		}
		ann.expect(c.want...)
		ann.send("leave 5 t")
		ann.expect("ok 5 ")
	}
	history = false
	ann.send("sub 6 t " + positions[2])
	ann.expect("ok 6 P", "gap t P P")
	ann.send("leave 7 t", "sub 8 t *")
	ann.expect("ok 7 ", "ok 8 P")
}

func TestPause(t *testing.T) {
	h := newHub(t, nil)
	_, url := serve(t, h, all, nil)
	ann, bob := dial(t, url+"?ann"), dial(t, url+"?bob")
	ann.ask("sub 1 t")
	first := bob.answered("pub 1 t\n1")
	ann.expect("msg t P \n1")
	ann.send("pause 2 t", "pause 3 t", "pause 4 other")
	ann.expect("ok 2 ", "ok 3 ", "ok 4 ")
	bob.answered("pub 2 t\n2")
	bob.answered("pub 3 t\n3")
	if here, err := h.Present(t.Context(), "t"); err != nil || len(here) != 1 {
		t.Errorf("during the pause %v are present, %v", here, err)
	}
	ann.send("sub 5 t")
	ann.expect("ok 5 P", "msg t P \n2", "msg t P \n3")
	ann.send("pause 6 t", "sub 7 t "+first)
	ann.expect("ok 6 ", "ok 7 P", "msg t P \n2", "msg t P \n3")
	ann.send("sub 8 t")
	ann.expect("no 8 invalid\nthe connection has subscribed to this topic already")
}

func TestPresence(t *testing.T) {
	_, url := serve(t, newHub(t, nil), all, nil)
	ann, bob := dial(t, url+"?ann"), dial(t, url+"?bob")
	ann.ask("sub 1 t")
	ann.send("watch w t")
	ann.expect("ok w ", "here w ann\ninfo of ann", "all w")
	bob.ask("sub 1 t")
	ann.expect("here w bob\ninfo of bob")
	bob.ask("leave 2 t")
	ann.expect("gone w bob")
	ann.send("watch w t")
	ann.expect("no w invalid\na watch has this number already")
	ann.send("unwatch 2 w")
	ann.expect("ok 2 ")
	bob.ask("sub 3 t")
	ann.send("watch x t")
	ann.expect("ok x ", "here x ann\ninfo of ann", "here x bob\ninfo of bob", "all x")
	ann.send("leave 4 t")
	ann.expect("ok 4 ")
}

func TestRefusals(t *testing.T) {
	secret := errors.New("a secret")
	refusing := func(err error) topicserver.Access {
		a := all
		a.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
			return topicserver.Grant{}, err
		}
		a.Publish = func(_ context.Context, _ *topicserver.Member, _ string, m ws.Message) (ws.Message, error) {
			return m, err
		}
		return a
	}
	expired := all
	expired.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
		return topicserver.Grant{Expires: time.Now()}, nil
	}
	long := strings.Repeat("a", 256)
	many := make([]string, 0, 300)
	for i := range 300 {
		many = append(many, fmt.Sprintf("sub %d t%d", i, i))
	}
	publications := make([]string, 0, 30)
	for i := range 30 {
		publications = append(publications, fmt.Sprintf("pub %d t\nx", i))
	}
	for _, c := range []struct {
		name     string
		access   topicserver.Access
		hub      hub.Limits
		options  topicserver.Options
		requests []string
		want     string // the last answer
	}{
		{"nil Subscribe", topicserver.Access{Connect: topicserver.Anyone}, hub.Limits{}, topicserver.Options{}, []string{"sub 1 t"}, "no 1 denied\nAccess.Subscribe is nil, which refuses every subscription"},
		{"nil Publish", topicserver.Access{Connect: topicserver.Anyone}, hub.Limits{}, topicserver.Options{}, []string{"pub 1 t\nx"}, "no 1 denied\nAccess.Publish is nil, which refuses every message"},
		{"Subscribe refuses", refusing(&topicserver.Refusal{Text: "only for members"}), hub.Limits{}, topicserver.Options{}, []string{"sub 1 t"}, "no 1 denied\nonly for members"},
		{"Publish refuses", refusing(&topicserver.Refusal{Text: "read only"}), hub.Limits{}, topicserver.Options{}, []string{"pub 1 t\nx"}, "no 1 denied\nread only"},
		{"Subscribe fails", refusing(&topicserver.Refusal{Text: "no database", Later: true}), hub.Limits{}, topicserver.Options{}, []string{"sub 1 t"}, "no 1 failed\nno database"},
		{"other errors are not told", refusing(secret), hub.Limits{}, topicserver.Options{}, []string{"sub 1 t"}, "no 1 denied\nnot allowed"},
		{"other errors are not told to a publisher", refusing(secret), hub.Limits{}, topicserver.Options{}, []string{"pub 1 t\nx"}, "no 1 denied\nnot allowed"},
		{"an expired grant", expired, hub.Limits{}, topicserver.Options{}, []string{"sub 1 t"}, "no 1 denied\nthe right to the topic has expired"},
		{"no topic", all, hub.Limits{}, topicserver.Options{}, []string{"sub 1"}, "no 1 invalid\nhub: invalid topic name: it must be UTF-8 and not empty"},
		{"a reserved topic", all, hub.Limits{}, topicserver.Options{}, []string{"sub 1 %00topicserver"}, "no 1 invalid\ntopics that begin with U+0000 are reserved"},
		{"publish to a reserved topic", all, hub.Limits{}, topicserver.Options{}, []string{"pub 1 %00topicserver\nx"}, "no 1 invalid\ntopics that begin with U+0000 are reserved"},
		{"a long name", all, hub.Limits{}, topicserver.Options{}, []string{"sub 1 " + long}, "no 1 limit\nhub: limit exceeded: Limits.TopicLength allows 255, and this would be 256"},
		{"a position that is none", all, hub.Limits{}, topicserver.Options{}, []string{"sub 1 t P"}, "no 1 invalid\nhub: invalid position \"P\"; allowed is a text that Position.String returned"},
		{"many topics", all, hub.Limits{Topics: 2}, topicserver.Options{}, many[:3], "no 2 limit\nhub: limit exceeded: Limits.Topics allows 2, and this would be 3"},
		{"a large message", all, hub.Limits{MessageSize: 1}, topicserver.Options{}, []string{"pub 1 t\nxx"}, "no 1 limit\nhub: limit exceeded: Limits.MessageSize allows 1, and this would be 2"},
		{"a long id", all, hub.Limits{}, topicserver.Options{}, []string{"pub 1 t " + long + "\nx"}, "no 1 limit\nhub: limit exceeded: the length of PublishOptions.ID allows 255, and this would be 256"},
		{"subscriptions too often", all, hub.Limits{Topics: -1}, topicserver.Options{SubscribeRate: 1}, many, "no 299 rate\nmore subscriptions a second than the server allows"},
		{"subscriptions without a limit", all, hub.Limits{Topics: -1}, topicserver.Options{SubscribeRate: -1}, many, "ok 299 P"},
		{"messages too often", all, hub.Limits{}, topicserver.Options{PublishRate: 1}, publications, "no 29 rate\nmore messages a second than the server allows"},
		{"messages without a limit", all, hub.Limits{}, topicserver.Options{PublishRate: -1}, publications, "ok 29 P"},
		{"watch without a subscription", all, hub.Limits{}, topicserver.Options{}, []string{"watch 1 t"}, "no 1 invalid\nonly a topic to which the connection has subscribed can be watched"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, url := serve(t, newHub(t, &hub.Options{Limits: c.hub}), c.access, &c.options)
			r := dial(t, url)
			var last string
			for _, request := range c.requests {
				last = r.ask(request)
			}
			if last != c.want {
				t.Errorf("the last answer is %q, want %q", last, c.want)
			}
			if r.ask("leave 0 t") != "ok 0 " {
				t.Error("the connection does not continue")
			}
		})
	}
}

// TestRefusedWatch checks the right to see who is present.
func TestRefusedWatch(t *testing.T) {
	a := all
	a.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
		return topicserver.Grant{}, nil
	}
	h := newHub(t, nil)
	_, url := serve(t, h, a, nil)
	r := dial(t, url+"?ann")
	r.ask("sub 1 t")
	if got := r.ask("watch 2 t"); got != "no 2 denied\nwho is present may not be seen" {
		t.Errorf("the answer is %q", got)
	}
	if here, _ := h.Present(t.Context(), "t"); len(here) != 0 {
		t.Errorf("%v are present without a right to be", here)
	}
}

func TestRefusedConnections(t *testing.T) {
	broken := all
	broken.Connect = func(*http.Request) (topicserver.Who, error) {
		return topicserver.Who{User: strings.Repeat("a", 256)}, nil
	}
	for name, a := range map[string]topicserver.Access{"nil Connect": {}, "a long name": broken} {
		t.Run(name, func(t *testing.T) {
			_, url := serve(t, newHub(t, nil), a, nil)
			_, err := isosocket.Dial(t.Context(), url, &isosocket.DialOptions{Subprotocols: []string{"topics.isosocket.1"}})
			if failed, ok := errors.AsType[*errors.ConnectionError](err); !ok || failed.StatusCode != http.StatusForbidden {
				t.Errorf("Dial returned %v, want 403", err)
			}
		})
	}
	_, url := serve(t, newHub(t, nil), all, nil)
	conn, err := isosocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	(&raw{t, conn}).ends(errors.PolicyViolation, "must offer the subprotocol topics.isosocket.1")
}

func TestViolations(t *testing.T) {
	_, url := serve(t, newHub(t, nil), all, nil)
	closing := all
	closing.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
		return topicserver.Grant{}, fmt.Errorf("go away: %w", errors.CloseReason(4003))
	}
	closing.Publish = func(_ context.Context, _ *topicserver.Member, _ string, m ws.Message) (ws.Message, error) {
		return m, &errors.ConnectionClosed{Reason: 4004, Message: "spam"}
	}
	_, strict := serve(t, newHub(t, nil), closing, nil)
	for _, c := range []struct {
		name, url, text string
		reason          errors.CloseReason
		message         string
	}{
		{"no verb", url, "", errors.PolicyViolation, "does not begin with a verb"},
		{"another verb", url, "subscribe 1 t", errors.PolicyViolation, `unknown verb "subscribe"; allowed are sub, leave, pause, watch, unwatch, pub`},
		{"a long verb", url, strings.Repeat("x", 100), errors.PolicyViolation, `unknown verb "xxxxxxxxxxxxxxxxxxxx..."`},
		{"no number", url, "sub", errors.PolicyViolation, "the number of a request has 1 to 16 bytes"},
		{"a long number", url, "sub 12345678901234567", errors.PolicyViolation, "the number of a request has 1 to 16 bytes"},
		{"a bad escape", url, "sub 1 %", errors.PolicyViolation, "two hexadecimal digits"},
		{"Subscribe closes", strict, "sub 1 t", 4003, "go away"},
		{"Publish closes", strict, "pub 1 t\nx", 4004, "spam"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := dial(t, c.url)
			r.send(c.text)
			r.ends(c.reason, c.message)
		})
	}
}

func TestGrantsExpire(t *testing.T) {
	var asked atomic.Int32
	a := all
	a.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
		if asked.Add(1) == 3 {
			return topicserver.Grant{}, &topicserver.Refusal{Text: "no more"}
		}
		return topicserver.Grant{Expires: time.Now().Add(50 * time.Millisecond)}, nil
	}
	h := newHub(t, nil)
	_, url := serve(t, h, a, nil)
	r := dial(t, url)
	r.send("sub 1 t")
	r.expect("ok 1 P", "end t 1 denied\nno more")
	if n := asked.Load(); n != 3 {
		t.Errorf("Subscribe was asked %d times, want 3", n)
	}
	if s := h.Stats(); s.Members > 1 { // one is that of the control topic
		t.Errorf("afterwards there are %d members", s.Members)
	}
	r.send("sub 2 t", "leave 3 t") // and a timer that is stopped
	r.expect("ok 2 P", "ok 3 ")
}

// TestRenewalsThatClose has an Access.Subscribe that closes the connection, or panics, when it is
// asked again.
func TestRenewalsThatClose(t *testing.T) {
	for _, c := range []struct {
		name    string
		again   func() error
		reason  errors.CloseReason
		message string
	}{
		{"reason", func() error { return errors.CloseReason(4001) }, 4001, ""},
		{"reason and message", func() error { return &errors.ConnectionClosed{Reason: 4002, Message: "go"} }, 4002, "go"},
		{"panic", func() error { panic("a fault of the program") }, errors.InternalError, "internal error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32
			a := all
			a.Subscribe = func(context.Context, *topicserver.Member, string) (topicserver.Grant, error) {
				if asked.Add(1) > 1 {
					return topicserver.Grant{}, c.again()
				}
				return topicserver.Grant{Expires: time.Now().Add(20 * time.Millisecond)}, nil
			}
			var logged records
			_, url := serve(t, newHub(t, nil), a, &topicserver.Options{Server: &server.Options{
				Logger: slog.New(slog.NewTextHandler(&logged, nil)),
			}})
			r := dial(t, url)
			r.ask("sub 1 t")
			r.ends(c.reason, c.message)
			if c.name == "panic" && !strings.Contains(logged.String(), "a fault of the program") {
				t.Errorf("the log has %q", logged.String())
			}
		})
	}
}

// records is a log that many goroutines may write.
type records struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func TestConnectionsExpire(t *testing.T) {
	a := all
	a.Connect = func(*http.Request) (topicserver.Who, error) {
		return topicserver.Who{Expires: time.Now().Add(50 * time.Millisecond)}, nil
	}
	_, url := serve(t, newHub(t, nil), a, nil)
	dial(t, url).ends(4401, "the rights of the connection have expired")
}

// TestCommandsReachEveryMachine has two Hubs with one engine, and a user at each.
func TestCommandsReachEveryMachine(t *testing.T) {
	engine, err := hub.NewMemory(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close(context.Background()) })
	var endpoints []*topicserver.Endpoint
	var urls []string
	var hubs []*hub.Hub
	for range 2 {
		h := newHub(t, &hub.Options{Engine: engine})
		e, url := serve(t, h, all, nil)
		endpoints, urls, hubs = append(endpoints, e), append(urls, url), append(hubs, h)
	}
	here, there, other := dial(t, urls[0]+"?ann"), dial(t, urls[1]+"?ann"), dial(t, urls[1]+"?bob")
	for _, r := range []*raw{here, there, other} {
		r.ask("sub 1 t")
		r.ask("sub 2 u")
	}
	for i, h := range hubs { // the topic for commands is joined in the background
		deadline := time.Now().Add(20 * time.Second)
		for want := 2*(i+1) + 1; h.Stats().Members != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("hub %d has %d members, want %d", i, h.Stats().Members, want)
			}
		}
	}
	if err := endpoints[0].Unsubscribe(t.Context(), "ann", "t"); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*raw{here, there} {
		r.expect("end t 1 denied\nthe server has ended the subscription")
	}
	if got := here.ask("watch 3 u"); got != "ok 3 " {
		t.Errorf("in the other topic the answer is %q", got)
	}
	if err := endpoints[0].Disconnect(t.Context(), "ann", 4403, "banned"); err != nil {
		t.Fatal(err)
	}
	here.ends(4403, "banned")
	there.ends(4403, "banned")
	other.send("pub 9 t\nalone")
	for got := ""; got != "msg t P \nalone"; {
		got = other.receive()
	}
	if err := endpoints[0].Disconnect(t.Context(), "ann", 1005, ""); !errors.Is(err, errors.ErrInvalidCloseReason) {
		t.Errorf("with a reason that cannot be sent: %v", err)
	}
}

// TestRefusedSubscriptionsAreAnsweredLate has many clients that are refused.
func TestRefusedSubscriptionsAreAnsweredLate(t *testing.T) {
	_, url := serve(t, newHub(t, nil), topicserver.Access{Connect: topicserver.Anyone}, nil)
	const clients, requests = 3, 50
	began := time.Now()
	var all []*raw
	for range clients {
		r := dial(t, url)
		for i := range requests {
			r.send(fmt.Sprintf("sub %d t", i))
		}
		all = append(all, r)
	}
	for _, r := range all {
		seen := map[string]bool{}
		for range requests {
			seen[r.receive()] = true
		}
		if len(seen) != requests {
			t.Errorf("%d different answers, want %d", len(seen), requests)
		}
	}
	// 100 at once, and 100 a second.
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("%d refusals took %v, want at least half a second", clients*requests, took)
	}
}

func TestInvalidOptions(t *testing.T) {
	h := newHub(t, nil)
	for _, c := range []struct {
		name string
		hub  *hub.Hub
		o    *server.Options
		want string
	}{
		{"no hub", nil, nil, "the Hub is nil"},
		{"Subprotocols", h, &server.Options{Subprotocols: []string{"x"}}, "must not have Subprotocols"},
		{"ChooseSubprotocol", h, &server.Options{ChooseSubprotocol: func(*http.Request, []string) string { return "" }}, "must not have ChooseSubprotocol"},
		{"Authorize", h, &server.Options{Authorize: func(*http.Request) (any, error) { return nil, nil }}, "use Access.Connect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := topicserver.New(c.hub, all, &topicserver.Options{Server: c.o})
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, errors.ErrWebSocket) {
				t.Errorf("New returned %v, want %q", err, c.want)
			}
		})
	}
}

// FuzzRequests sends an endpoint any two messages: it answers or closes, and goes on serving others.
func FuzzRequests(f *testing.F) {
	f.Add("sub 1 t", "watch 2 t")
	f.Add("pub 1 t id key\nhello", "sub 1 t *")
	f.Add("pause 1 t", "leave 2 t")
	f.Add("%00", "unwatch 1")
	f.Fuzz(func(t *testing.T, first, second string) {
		h := newHub(t, nil)
		_, url := serve(t, h, all, nil)
		r := dial(t, url+"?ann")
		for _, text := range []string{first, second, "leave last t"} {
			if r.conn.Send(t.Context(), ws.Binary([]byte(text))) != nil {
				break
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for {
			m, err := r.conn.Receive(ctx)
			if ctx.Err() != nil {
				t.Fatal("neither an answer nor an end")
			}
			if err != nil || m.String() == "ok last " {
				break
			}
		}
		other := dial(t, url)
		if other.ask("sub 1 other") != "ok 1 P" {
			t.Error("others are not served")
		}
	})
}
