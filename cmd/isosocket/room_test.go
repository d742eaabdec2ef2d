//go:build !js

package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/chat"
	"github.com/isosocket/isosocket/ws"
)

// guest is one client of a room under test.
type guest struct {
	t    *testing.T
	conn *ws.Conn
	left chan error // the error of serve
	cut  chan struct{}
}

// visit connects a client that speaks subprotocol to r.
func visit(t *testing.T, r *room, subprotocol, name string) *guest {
	t.Helper()
	config := &ws.Config{Subprotocol: subprotocol}
	client, served := ws.Pipe(config, config)
	g := &guest{t: t, conn: client, left: make(chan error, 1), cut: make(chan struct{})}
	go func() {
		g.left <- r.serve(t.Context(), served, visitor{name: name, cut: func() { close(g.cut) }})
		_ = served.Close(errors.NormalClosure, "")
	}()
	t.Cleanup(func() { _ = client.Close(errors.NormalClosure, "") })
	return g
}

// join connects a client that speaks JSON and joins as name.
func join(t *testing.T, r *room, name string) *guest {
	t.Helper()
	g := visit(t, r, chat.Subprotocol, "")
	g.send(chat.Message{Type: chat.Join, Name: name, Platform: "test/only"})
	return g
}

func (g *guest) send(m chat.Message) {
	g.t.Helper()
	g.sendRaw(ws.Message{Kind: ws.KindText, Data: m.Encode()})
}

func (g *guest) sendRaw(m ws.Message) {
	g.t.Helper()
	if err := g.conn.Send(g.t.Context(), m); err != nil {
		g.t.Errorf("Send: %v", err)
	}
}

func (g *guest) receive() ws.Message {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	m, err := g.conn.Receive(ctx)
	if err != nil {
		g.t.Fatalf("Receive: %v", err)
	}
	return m
}

func (g *guest) event() chat.Message {
	g.t.Helper()
	m, err := chat.DecodeEvent(g.receive().Data)
	if err != nil {
		g.t.Fatal(err)
	}
	return m
}

// hears fails unless the next events have the given types. It returns the last one.
func (g *guest) hears(want ...chat.Type) (last chat.Message) {
	g.t.Helper()
	for _, w := range want {
		if last = g.event(); last.Type != w {
			g.t.Fatalf("heard %+v, want a %s", last, w)
		}
	}
	return last
}

// isClosed fails unless the connection ends with reason and a message that contains words.
func (g *guest) isClosed(reason errors.CloseReason, words string) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	for {
		_, err := g.conn.Receive(ctx)
		if err == nil {
			continue
		}
		closed, ok := errors.AsType[*errors.ConnectionClosed](err)
		if !ok || !closed.Remote || closed.Reason != reason || !strings.Contains(closed.Message, words) {
			g.t.Fatalf("closed with %v, want %v with %q, by the server", err, reason, words)
		}
		return
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	r := newRoom()
	ada := join(t, r, "ada")
	welcome := ada.hears(chat.Welcome)
	if welcome.Name != "ada" || welcome.ID == 0 || len(welcome.People) != 1 {
		t.Fatalf("welcome = %+v", welcome)
	}
	bob := join(t, r, "bob")
	if w := bob.hears(chat.Welcome); len(w.People) != 2 || w.People[0].Name != "ada" || w.People[1].Platform != "test/only" {
		t.Fatalf("bob's welcome = %+v", w)
	}
	if j := ada.hears(chat.Joined); j.Name != "bob" || j.Platform != "test/only" {
		t.Fatalf("ada heard %+v", j)
	}
	ada.send(chat.Message{Type: chat.Say, Text: " hello \r\n bob "})
	for _, g := range []*guest{ada, bob} {
		if said := g.hears(chat.Said); said.Name != "ada" || said.Text != "hello \n bob" || said.ID != welcome.ID || said.Time == 0 {
			t.Fatalf("heard %+v", said)
		}
	}
	bob.send(chat.Message{Type: chat.Rename, Name: "Robert"})
	for _, g := range []*guest{ada, bob} {
		if renamed := g.hears(chat.Renamed); renamed.Name != "Robert" || renamed.Old != "bob" {
			t.Fatalf("heard %+v", renamed)
		}
	}
	bob.send(chat.Message{Type: chat.Ping, Seq: 17})
	if pong := bob.hears(chat.Pong); pong.Seq != 17 {
		t.Fatalf("pong = %+v", pong)
	}
	_ = bob.conn.Close(4001, "see \x1byou")
	if left := ada.hears(chat.Left); left.Name != "Robert" || left.Reason != 4001 || left.Text != "see \ufffdyou" {
		t.Fatalf("left = %+v", left)
	}
	eve := join(t, r, "eve")
	if w := eve.hears(chat.Welcome); len(w.People) != 2 || len(w.History) != 1 || w.History[0].Text != "hello \n bob" {
		t.Fatalf("eve's welcome = %+v", w)
	}
}

func TestPlainLines(t *testing.T) {
	t.Parallel()
	r := newRoom()
	ada := join(t, r, "ada")
	ada.hears(chat.Welcome)
	ada.send(chat.Message{Type: chat.Say, Text: "early"})
	ada.hears(chat.Said)
	bob := visit(t, r, "", "bob")
	for _, step := range []struct{ say, hear string }{
		{"", "* you are bob; here: ada, bob"},
		{"", "ada: early"},
		{"hello", "bob: hello"},
		{"//who", "bob: /who"},
		{"/who", "* you are bob; here: ada, bob"},
		{"/name ADA", "* bob is now ADA-2"},
		{"/nme x", `! unknown command "/nme"; /help lists the known ones`},
		{"/help", chat.Help},
		{"/rtt", "! only a client that speaks the subprotocol chat.isosocket.v1 can do that"},
	} {
		if step.say != "" {
			bob.sendRaw(ws.Text(step.say))
		}
		if got := bob.receive().String(); got != step.hear {
			t.Fatalf("%q was answered by %q, want %q", step.say, got, step.hear)
		}
	}
	if j := ada.hears(chat.Joined); j.Platform != "plain lines" {
		t.Errorf("ada heard %+v", j)
	}
	bob.sendRaw(ws.Text("/close 4002 enough"))
	bob.isClosed(4002, "enough")
}

func TestRoomCloses(t *testing.T) {
	t.Parallel()
	text := func(s string) ws.Message { return ws.Text(s) }
	for _, c := range []struct {
		name        string
		plain       bool
		first, then ws.Message
		reason      errors.CloseReason
		words       string
	}{
		{name: "garbage first", first: text("hello"), reason: errors.InvalidPayload, words: "not a JSON message"},
		{name: "no join first", first: text(`{"type":"say","text":"x"}`), reason: errors.PolicyViolation, words: "the first message must be a join, not a say"},
		{name: "binary first", first: ws.Binary([]byte{1}), reason: errors.UnsupportedData, words: "text messages only"},
		{name: "garbage later", first: text(`{"type":"join"}`), then: text("{"), reason: errors.InvalidPayload, words: "not a JSON message"},
		{name: "unknown type", first: text(`{"type":"join"}`), then: text(`{"type":"dance"}`), reason: errors.PolicyViolation, words: `unknown type "dance"; allowed are`},
		{name: "second join", first: text(`{"type":"join"}`), then: text(`{"type":"join"}`), reason: errors.PolicyViolation, words: "a second join"},
		{name: "asked for", first: text(`{"type":"join"}`), then: text(`{"type":"close","reason":1012,"text":"back soon"}`), reason: errors.ServiceRestart, words: "back soon"},
		{name: "plain binary", plain: true, first: text("hi"), then: ws.Binary([]byte{1}), reason: errors.UnsupportedData, words: "text messages only"},
		{name: "plain quit", plain: true, first: text("hi"), then: text("/quit"), reason: errors.NormalClosure},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRoom()
			witness := join(t, r, "witness")
			witness.hears(chat.Welcome)
			subprotocol := chat.Subprotocol
			if c.plain {
				subprotocol = ""
			}
			g := visit(t, r, subprotocol, "")
			g.sendRaw(c.first)
			if c.then.Kind != 0 {
				g.sendRaw(c.then)
			}
			g.isClosed(c.reason, c.words)
			if err := <-g.left; err != nil {
				t.Errorf("serve = %v", err)
			}
			witness.send(chat.Message{Type: chat.Say, Text: "still here"})
			for {
				if m := witness.event(); m.Type == chat.Said && m.Text == "still here" {
					break
				}
			}
		})
	}
}

func TestRoomRefusesWithoutClosing(t *testing.T) {
	t.Parallel()
	r := newRoom()
	g := join(t, r, "bad\x00name")
	if w := g.hears(chat.Welcome); w.Name != "guest" {
		t.Errorf("welcome = %+v", w)
	}
	if refused := g.hears(chat.Refused); !strings.Contains(refused.Text, "a name may not have the character") {
		t.Errorf("refused = %+v", refused)
	}
	for _, c := range []struct {
		ask   chat.Message
		words string
	}{
		{chat.Message{Type: chat.Say}, "the text is empty"},
		{chat.Message{Type: chat.Say, Text: strings.Repeat("x", chat.MaxText+1)}, "is too long; at most 2000"},
		{chat.Message{Type: chat.Rename, Name: " "}, "at least one letter"},
		{chat.Message{Type: chat.Close, Reason: 1006}, `"1006" may not be sent; allowed are`},
		{chat.Message{Type: chat.Close}, `"0" may not be sent`},
	} {
		g.send(c.ask)
		if refused := g.hears(chat.Refused); !strings.Contains(refused.Text, c.words) {
			t.Errorf("%+v was refused with %q, want %q", c.ask, refused.Text, c.words)
		}
	}
}

func TestRoomCutsConnectionOnRequest(t *testing.T) {
	t.Parallel()
	r := newRoom()
	witness := join(t, r, "witness")
	witness.hears(chat.Welcome)
	g := join(t, r, "eve")
	g.send(chat.Message{Type: chat.Drop})
	select {
	case <-g.cut:
	case <-time.After(patience):
		t.Fatal("the connection was not cut")
	}
	if left := witness.hears(chat.Joined, chat.Left); left.Reason != errors.AbnormalClosure {
		t.Errorf("left = %+v", left)
	}
}

// TestRoomDropsASlowReader checks that a member that reads nothing does not slow down the
// others.
func TestRoomDropsASlowReader(t *testing.T) {
	t.Parallel()
	r := newRoom()
	slow := join(t, r, "slow")
	slow.hears(chat.Welcome)
	ada := join(t, r, "ada")
	ada.hears(chat.Welcome)
	text := strings.Repeat("x", chat.MaxText)
	for range 2 * maxUnread / chat.MaxText {
		ada.send(chat.Message{Type: chat.Say, Text: text})
		for ada.event().Type != chat.Said {
		}
	}
	slow.isClosed(errors.TryAgainLater, "reads too slowly")
	if err := <-slow.left; err != nil {
		t.Errorf("serve = %v", err)
	}
}

func TestRoomLimitsTheWaitForAJoin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		visit(t, newRoom(), chat.Subprotocol, "").isClosedAfter(start, joinTimeout, errors.PolicyViolation, "no join within 10s")
	})
}

func (g *guest) isClosedAfter(start time.Time, wait time.Duration, reason errors.CloseReason, words string) {
	g.t.Helper()
	<-g.conn.Done()
	if waited := time.Since(start); waited != wait {
		g.t.Errorf("closed after %v, want %v", waited, wait)
	}
	g.isClosed(reason, words)
	<-g.left
}

func TestRoomHasOneOrderForAllMembers(t *testing.T) {
	t.Parallel()
	r := newRoom()
	const speakers, lines = 8, 40
	guests := make([]*guest, speakers)
	for i := range guests {
		guests[i] = join(t, r, "speaker")
		guests[i].hears(chat.Welcome)
	}
	for i, g := range guests {
		for range speakers - 1 - i {
			g.hears(chat.Joined)
		}
	}
	heard := make([][]string, speakers)
	var all sync.WaitGroup
	for i, g := range guests {
		all.Go(func() {
			for n := range lines {
				g.send(chat.Message{Type: chat.Say, Text: fmt.Sprint(i, " ", n)})
			}
		})
		all.Go(func() {
			for range speakers * lines {
				m, err := g.conn.Receive(t.Context())
				if err != nil {
					t.Errorf("speaker %d: %v", i, err)
					return
				}
				said, _ := chat.DecodeEvent(m.Data)
				heard[i] = append(heard[i], said.Text)
			}
		})
	}
	all.Wait()
	for i := 1; i < speakers; i++ {
		if !slices.Equal(heard[i], heard[0]) {
			t.Fatalf("speaker %d heard another order than speaker 0", i)
		}
	}
}

func TestRoomKeepsTheLastTexts(t *testing.T) {
	t.Parallel()
	r := newRoom()
	ada := join(t, r, "ada")
	ada.hears(chat.Welcome)
	for n := range maxHistory + 5 {
		ada.send(chat.Message{Type: chat.Say, Text: fmt.Sprint(n)})
		ada.hears(chat.Said)
	}
	history := join(t, r, "bob").hears(chat.Welcome).History
	if len(history) != maxHistory || history[0].Text != "5" || history[maxHistory-1].Text != fmt.Sprint(maxHistory+4) {
		t.Errorf("history of %d from %q", len(history), history[0].Text)
	}
}

func TestFreeNames(t *testing.T) {
	t.Parallel()
	r := newRoom()
	long := strings.Repeat("é", chat.MaxName)
	for i, c := range []struct{ ask, want string }{
		{"ada", "ada"}, {"ADA", "ADA-2"}, {"ada", "ada-3"}, {"ada-2", "ada-2-2"},
		{long, long}, {long, strings.Repeat("é", chat.MaxName-2) + "-2"},
	} {
		got := r.free(c.ask, 0)
		if got != c.want {
			t.Errorf("free(%q) = %q, want %q", c.ask, got, c.want)
		}
		r.members[i+1] = &member{person: chat.Person{ID: i + 1, Name: got}}
	}
	if got := r.free("ada", 1); got != "ada" {
		t.Errorf("keeping one's own name gives %q", got)
	}
	if want := []string{"ada", "ADA-2", "ada-3"}; !reflect.DeepEqual(names(r.people())[:3], want) {
		t.Errorf("people = %v", names(r.people()))
	}
}

func names(people []chat.Person) (all []string) {
	for _, p := range people {
		all = append(all, p.Name)
	}
	return all
}
