package hub_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// newHub returns a Hub that is closed at the end of the test.
func newHub(t *testing.T, o *hub.Options) *hub.Hub {
	t.Helper()
	h, err := hub.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil && !errors.Is(err, hub.ErrClosed) {
			t.Error("Close:", err)
		}
	})
	return h
}

// pair returns a connection for the Hub and its client's end.
func pair(t *testing.T) (conn, client *ws.Conn) {
	t.Helper()
	conn, client = ws.Pipe(nil, nil)
	t.Cleanup(func() {
		client.CloseNow(errors.NormalClosure, "")
		conn.CloseNow(errors.NormalClosure, "")
	})
	return conn, client
}

func join(t *testing.T, h *hub.Hub, topic string, conn *ws.Conn, o *hub.JoinOptions) *hub.Membership {
	t.Helper()
	m, err := h.Join(t.Context(), topic, conn, o)
	if err != nil {
		t.Fatalf("Join %q: %v", topic, err)
	}
	return m
}

func publish(t *testing.T, h *hub.Hub, topic, text string) hub.Position {
	t.Helper()
	p, err := h.Publish(t.Context(), topic, ws.Text(text), nil)
	if err != nil {
		t.Fatalf("Publish %q: %v", text, err)
	}
	return p
}

// expect fails the test unless these messages are the next ones.
func expect(t *testing.T, client *ws.Conn, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for i, w := range want {
		m, err := client.Receive(ctx)
		if err != nil {
			t.Fatalf("message %d: %v, want %q", i, err, w)
		}
		if m.String() != w {
			t.Fatalf("message %d is %q, want %q", i, m, w)
		}
	}
}

func expectNothing(t *testing.T, client *ws.Conn) {
	t.Helper()
	if m, ok, err := client.TryReceive(); ok || err != nil {
		t.Fatalf("received %q, %v, want no message", m, err)
	}
}

// eventually waits for a condition that other goroutines make true.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not reached within 10 s", what)
		}
	}
}

func TestPublishReachesMembersOfTheTopicInOrder(t *testing.T) {
	h := newHub(t, nil)
	a, atA := pair(t)
	b, atB := pair(t)
	join(t, h, "one", a, nil)
	join(t, h, "one", b, nil)
	join(t, h, "two", b, nil)
	publish(t, h, "one", "1")
	publish(t, h, "two", "2")
	publish(t, h, "nobody", "3")
	publish(t, h, "one", "4")
	expect(t, atA, "1", "4")
	expect(t, atB, "1", "2", "4")
	expectNothing(t, atA)
	expectNothing(t, atB)
	if s := h.Stats(); s.Topics != 2 || s.Members != 3 || s.Connections != 2 || s.Published != 4 || s.Delivered != 5 {
		t.Errorf("Stats: %+v", s)
	}
}

func TestBinaryStaysBinary(t *testing.T) {
	h := newHub(t, nil)
	conn, client := pair(t)
	join(t, h, "t", conn, nil)
	data := []byte{0, 255}
	if _, err := h.Publish(t.Context(), "t", ws.Binary(data), nil); err != nil {
		t.Fatal(err)
	}
	data[0] = 7 // the Hub has a copy
	m, err := client.Receive(t.Context())
	if err != nil || m.Kind != ws.KindBinary || m.String() != "\x00\xff" {
		t.Errorf("received %v %q, %v", m.Kind, m, err)
	}
}

func TestPublishToOthersSkipsAllMembershipsOfTheConnection(t *testing.T) {
	h := newHub(t, nil)
	a, atA := pair(t)
	b, atB := pair(t)
	m := join(t, h, "t", a, nil)
	join(t, h, "t", b, nil)
	if _, err := m.PublishToOthers(t.Context(), ws.Text("x"), nil); err != nil {
		t.Fatal(err)
	}
	publish(t, h, "t", "y")
	expect(t, atA, "y")
	expect(t, atB, "x", "y")

	// The same for messages from history.
	m.Leave()
	join(t, h, "t", a, &hub.JoinOptions{Oldest: true})
	expect(t, atA, "y")
	expectNothing(t, atA)
	if _, err := m.PublishToOthers(t.Context(), ws.Text("z"), nil); !errors.Is(err, hub.ErrLeft) {
		t.Errorf("PublishToOthers after Leave: %v", err)
	}
}

func TestMembershipEndsWithLeaveAndWithTheConnection(t *testing.T) {
	var mu sync.Mutex
	left := 0
	h := newHub(t, &hub.Options{Trace: &hub.Trace{Left: func(string) { mu.Lock(); left++; mu.Unlock() }}})
	a, atA := pair(t)
	b, atB := pair(t)
	m := join(t, h, "t", a, nil)
	join(t, h, "t", b, nil)
	join(t, h, "u", b, nil)
	m.Leave()
	m.Leave()
	publish(t, h, "t", "x")
	expectNothing(t, atA)
	expect(t, atB, "x")
	atB.Close(errors.GoingAway, "")
	eventually(t, "all memberships have ended", func() bool {
		s := h.Stats()
		mu.Lock()
		defer mu.Unlock()
		return s.Members == 0 && s.Topics == 0 && s.Connections == 1 && left == 3
	})
	if _, err := h.Join(t.Context(), "t", b, nil); !errors.Is(err, errors.GoingAway) {
		t.Errorf("Join of a connection that has ended: %v", err)
	}
}

func TestJoinSinceRecoversWithoutGapOrDouble(t *testing.T) {
	h := newHub(t, nil)
	for _, c := range []struct {
		name string
		o    func(positions []hub.Position) hub.JoinOptions
		want []string
	}{
		{"now", func([]hub.Position) hub.JoinOptions { return hub.JoinOptions{} }, nil},
		{"a position", func(p []hub.Position) hub.JoinOptions { return hub.JoinOptions{Since: p[1]} }, []string{"2", "3"}},
		{"the newest position", func(p []hub.Position) hub.JoinOptions { return hub.JoinOptions{Since: p[3]} }, nil},
		{"the oldest", func([]hub.Position) hub.JoinOptions { return hub.JoinOptions{Oldest: true} }, []string{"0", "1", "2", "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var positions []hub.Position
			for i := range 4 {
				positions = append(positions, publish(t, h, c.name, strconv.Itoa(i)))
				publish(t, h, "other", "-")
			}
			conn, client := pair(t)
			o := c.o(positions)
			m := join(t, h, c.name, conn, &o)
			expect(t, client, c.want...)
			if got := m.Position(); got != positions[3] {
				t.Errorf("Position is %v, want %v", got, positions[3])
			}
			last := publish(t, h, c.name, "live")
			expect(t, client, "live")
			expectNothing(t, client)
			if got := m.Position(); got != last {
				t.Errorf("Position is %v, want %v", got, last)
			}
		})
	}
}

// positioned sends each entry with its positions, and each gap as a message.
var positioned = &hub.Format{
	Entry: func(topic string, e *hub.Entry) ws.Message {
		return ws.Text(e.Message.String() + "@" + e.Position.String())
	},
	Gap: func(topic string, g *hub.Gap) ws.Message {
		return ws.Text("gap " + g.After.String() + ".." + g.Until.String())
	},
}

func TestAGapComesInItsPlace(t *testing.T) {
	rules := func(string) hub.Rules { return hub.Rules{History: 2} }
	h := newHub(t, &hub.Options{Rules: rules})
	p0 := publish(t, h, "t", "0")
	publish(t, h, "t", "1")
	p2 := publish(t, h, "t", "2")
	p3 := publish(t, h, "t", "3")
	p4 := publish(t, h, "t", "4")

	conn, client := pair(t)
	join(t, h, "t", conn, &hub.JoinOptions{Since: p0, Format: positioned})
	expect(t, client, "gap "+p0.String()+".."+p2.String(), "3@"+p3.String(), "4@"+p4.String())
	expectNothing(t, client)

	t.Run("of another epoch", func(t *testing.T) {
		other := hub.MakePosition("lost", 99)
		conn, client := pair(t)
		join(t, h, "t", conn, &hub.JoinOptions{Since: other, Format: positioned})
		expect(t, client, "gap lost-2r.."+p2.String(), "3@"+p3.String(), "4@"+p4.String())
	})
	t.Run("closes without a Format", func(t *testing.T) {
		conn, client := pair(t)
		h.Join(t.Context(), "t", conn, &hub.JoinOptions{Since: p0})
		_, err := client.Receive(t.Context())
		if closed, ok := errors.AsType[*errors.ConnectionClosed](err); !ok || closed.Reason != errors.TryAgainLater || closed.Message != "messages were lost" {
			t.Errorf("received %v", err)
		}
	})
	t.Run("in Since", func(t *testing.T) {
		var got []string
		for e, err := range h.Since(t.Context(), "t", p0) {
			if g, ok := errors.AsType[*hub.Gap](err); ok {
				got = append(got, "gap")
				if g.Topic != "t" || g.After != p0 || g.Until != p2 {
					t.Errorf("%+v", g)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Message.String())
		}
		if fmt.Sprint(got) != "[gap 3 4]" {
			t.Errorf("Since yields %v", got)
		}
	})
}

func TestSinceReadsPages(t *testing.T) {
	h := newHub(t, nil)
	var positions []hub.Position
	for i := range 200 {
		positions = append(positions, publish(t, h, "t", strconv.Itoa(i)))
	}
	for _, c := range []struct {
		since hub.Position
		first int
	}{{hub.Position{}, 0}, {positions[9], 10}, {positions[199], 200}} {
		next := c.first
		for e, err := range h.Since(t.Context(), "t", c.since) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Message.String() != strconv.Itoa(next) {
				t.Fatalf("%s, want %d", e.Message, next)
			}
			next++
		}
		if next != 200 {
			t.Errorf("since %v: ended before %d", c.since, next)
		}
	}
	for _, err := range h.Since(t.Context(), "", hub.Position{}) {
		if !errors.Is(err, hub.ErrInvalidTopic) {
			t.Errorf("Since of no topic: %v", err)
		}
	}
}

// blob is a message that soon fills the queue of a slow member.
func blob(i int) string { return fmt.Sprintf("%05d", i) + strings.Repeat("x", 1000) }

func publishBlobs(t *testing.T, h *hub.Hub, topic string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		publish(t, h, topic, blob(i))
	}
}

// bounded has a small limit for each connection.
func bounded(r hub.Rules, trace *hub.Trace) *hub.Options {
	return &hub.Options{Rules: func(string) hub.Rules { return r }, Limits: hub.Limits{Unread: 10_000}, Trace: trace}
}

func TestASlowMemberCatchesUpFromHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var caught []int
		h := newHub(t, bounded(hub.Rules{History: 1000}, &hub.Trace{
			CaughtUp: func(_ string, n int, _ time.Duration) { mu.Lock(); caught = append(caught, n); mu.Unlock() },
		}))
		slow, atSlow := pair(t)
		fast, atFast := pair(t)
		join(t, h, "t", slow, nil)
		join(t, h, "t", fast, nil)
		for i := range 500 {
			publish(t, h, "t", blob(i))
			expect(t, atFast, blob(i)) // the other members are not delayed
			if n := slow.Buffered(); n > 11_000 {
				t.Fatalf("%d bytes are queued for the slow member", n)
			}
		}
		time.Sleep(time.Minute)
		if s := h.Stats(); s.Behind != 1 || s.Lag != time.Minute || s.Slow != 1 {
			t.Errorf("Stats: %+v", s)
		}
		for i := range 500 {
			expect(t, atSlow, blob(i))
			time.Sleep(10 * time.Millisecond)
			if i == 400 {
				publishBlobs(t, h, "t", 500, 505) // it still catches up
			}
		}
		for i := 500; i < 505; i++ {
			expect(t, atSlow, blob(i))
		}
		time.Sleep(time.Second)
		if s := h.Stats(); s.Behind != 0 || s.Lag != 0 || s.CaughtUp != 1 || s.Gaps != 0 || s.Disconnected != 0 {
			t.Errorf("Stats: %+v", s)
		}
		mu.Lock()
		if len(caught) != 1 || caught[0] < 490 {
			t.Errorf("CaughtUp was called with %v", caught)
		}
		mu.Unlock()
		publish(t, h, "t", "live")
		expect(t, atSlow, "live")
		expectNothing(t, atSlow)
	})
}

func TestASlowMemberGetsAGapWhenHistoryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, bounded(hub.Rules{History: 20}, nil))
		conn, client := pair(t)
		join(t, h, "t", conn, &hub.JoinOptions{Format: &hub.Format{Gap: func(string, *hub.Gap) ws.Message { return ws.Text("gap") }}})
		publishBlobs(t, h, "t", 0, 100)
		var got []string
		for len(got) == 0 || got[len(got)-1] != "00099" {
			m, err := client.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.String()[:min(5, len(m.Data))])
		}
		at := 0
		for at < len(got) && got[at] != "gap" {
			if got[at] != fmt.Sprintf("%05d", at) {
				t.Fatalf("%v", got)
			}
			at++
		}
		if rest := len(got) - at - 1; at < 5 || rest != 20 || got[at+1] != "00080" {
			t.Fatalf("%d before the gap, %d after it: %v", at, rest, got)
		}
	})
}

func TestSlowMembersWithoutHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, bounded(hub.Rules{History: -1}, nil))
		plain, atPlain := pair(t)
		told, atTold := pair(t)
		join(t, h, "t", plain, nil)
		join(t, h, "t", told, &hub.JoinOptions{Format: &hub.Format{Gap: func(string, *hub.Gap) ws.Message { return ws.Text("gap") }}})
		publishBlobs(t, h, "t", 0, 50)
		if !errors.Is(plain.Err(), errors.TryAgainLater) {
			t.Errorf("without a message for gaps: %v, want 1013", plain.Err())
		}
		_, err := drain(t, atPlain)
		if !errors.Is(err, errors.TryAgainLater) || !strings.Contains(err.Error(), "reads too slowly: ") {
			t.Errorf("the client sees %v", err)
		}
		got, _ := drain(t, atTold)
		time.Sleep(time.Second)
		publish(t, h, "t", "live")
		more, err := drain(t, atTold)
		if err != nil || len(got) < 5 || fmt.Sprint(more) != "[gap live]" {
			t.Errorf("%d messages, then %v, %v", len(got), more, err)
		}
	})
}

// drain returns the messages that have arrived, cut to five bytes.
func drain(t *testing.T, client *ws.Conn) (got []string, err error) {
	t.Helper()
	for {
		m, ok, err := client.TryReceive()
		if !ok || err != nil {
			return got, err
		}
		got = append(got, m.String()[:min(5, len(m.Data))])
	}
}

func TestDisconnectClosesSlowMembers(t *testing.T) {
	h := newHub(t, bounded(hub.Rules{Slow: hub.Disconnect}, nil))
	conn, client := pair(t)
	join(t, h, "t", conn, nil)
	publishBlobs(t, h, "t", 0, 50)
	got, err := drain(t, client)
	if !errors.Is(err, errors.TryAgainLater) || len(got) < 5 || got[len(got)-1] != fmt.Sprintf("%05d", len(got)-1) {
		t.Errorf("received %v, then %v", got, err)
	}
	eventually(t, "the membership has ended", func() bool { return h.Stats().Members == 0 })
	if s := h.Stats(); s.Disconnected != 1 || s.Slow != 1 {
		t.Errorf("Stats: %+v", s)
	}
}

func TestLatestKeepsTheNewestOfEachKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, bounded(hub.Rules{Slow: hub.Latest}, nil))
		conn, client := pair(t)
		join(t, h, "t", conn, nil)
		n := 0
		put := func(key string) {
			t.Helper()
			if _, err := h.Publish(t.Context(), "t", ws.Text(fmt.Sprintf("%s%04d", key, n)+strings.Repeat("x", 1000)), &hub.PublishOptions{Key: key}); err != nil {
				t.Fatal(err)
			}
			n++
		}
		for range 10 {
			for _, key := range []string{"a", "b", "c"} {
				put(key)
			}
		}
		put("a")
		got, _ := drain(t, client)
		for i, m := range got {
			if m != fmt.Sprintf("%c%04d", "abc"[i%3], i) {
				t.Fatalf("before it was slow: %v", got)
			}
		}
		time.Sleep(time.Second)
		if later, _ := drain(t, client); fmt.Sprint(later) != "[b0028 c0029 a0030]" {
			t.Errorf("after it was slow: %v", later)
		}
		put("b")
		if live, _ := drain(t, client); fmt.Sprint(live) != "[b0031]" {
			t.Errorf("live: %v", live)
		}
		if s := h.Stats(); s.Gaps != 0 || s.Behind != 0 || s.CaughtUp != 1 {
			t.Errorf("Stats: %+v", s)
		}
	})
}

func TestLatestBoundsItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := bounded(hub.Rules{Slow: hub.Latest}, nil)
		o.Limits.Keys = 3
		h := newHub(t, o)
		conn, client := pair(t)
		join(t, h, "t", conn, &hub.JoinOptions{Format: &hub.Format{Gap: func(string, *hub.Gap) ws.Message { return ws.Text("gap") }}})
		for i := range 20 {
			if _, err := h.Publish(t.Context(), "t", ws.Text(blob(i)), &hub.PublishOptions{Key: strconv.Itoa(i)}); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := drain(t, client)
		time.Sleep(time.Second)
		after, _ := drain(t, client)
		if len(before) < 5 || fmt.Sprint(after) != "[gap 00017 00018 00019]" {
			t.Errorf("%v, then %v", before, after)
		}
	})
}

func TestAMessageThatAConnectionRefusesIsAGap(t *testing.T) {
	h := newHub(t, nil)
	conn, client := ws.Pipe(&ws.Config{MaxMessageSize: 10}, nil)
	defer client.CloseNow(errors.NormalClosure, "")
	join(t, h, "t", conn, &hub.JoinOptions{Format: &hub.Format{Gap: func(_ string, g *hub.Gap) ws.Message {
		if !errors.Is(g, errors.ErrMessageTooBig) {
			t.Errorf("the gap is %v", g)
		}
		return ws.Text("gap")
	}}})
	publish(t, h, "t", "a")
	publish(t, h, "t", "more than ten bytes")
	publish(t, h, "t", "b")
	expect(t, client, "a", "gap", "b")
}

func TestEachFormatEncodesOnce(t *testing.T) {
	h := newHub(t, nil)
	var mu sync.Mutex
	calls := 0
	f := &hub.Format{Entry: func(_ string, e *hub.Entry) ws.Message {
		mu.Lock()
		calls++
		mu.Unlock()
		return ws.Text("<" + e.Message.String() + ">")
	}}
	var clients []*ws.Conn
	for i := range 10 {
		conn, client := pair(t)
		o := &hub.JoinOptions{}
		if i%2 == 0 {
			o.Format = f
			clients = append(clients, client)
		}
		join(t, h, "t", conn, o)
	}
	publish(t, h, "t", "x")
	late, atLate := pair(t)
	join(t, h, "t", late, &hub.JoinOptions{Oldest: true, Format: f})
	for _, client := range append(clients, atLate) {
		expect(t, client, "<x>")
	}
	if calls != 1 {
		t.Errorf("the message was encoded %d times", calls)
	}
}

func TestIDsMakeRepetitionsHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		conn, client := pair(t)
		join(t, h, "t", conn, nil)
		id := &hub.PublishOptions{ID: "once"}
		first, err := h.Publish(t.Context(), "t", ws.Text("1"), id)
		again, err2 := h.Publish(t.Context(), "t", ws.Text("2"), id)
		if err != nil || err2 != nil || first != again {
			t.Fatalf("%v %v, %v %v", first, err, again, err2)
		}
		elsewhere, err := h.Publish(t.Context(), "u", ws.Text("3"), id)
		if err != nil || elsewhere == first {
			t.Fatalf("under another topic: %v %v", elsewhere, err)
		}
		time.Sleep(hub.DefaultIDs + time.Second)
		h.Publish(t.Context(), "t", ws.Text("4"), id)
		expect(t, client, "1", "4")
		expectNothing(t, client)
	})
}

func TestRefusals(t *testing.T) {
	h := newHub(t, &hub.Options{Limits: hub.Limits{Topics: 2, AllTopics: 3, MessageSize: 5}})
	conn, _ := pair(t)
	other, _ := pair(t)
	join(t, h, "a", conn, nil)
	join(t, h, "b", conn, nil)
	publishIt := func(topic string, m ws.Message, o *hub.PublishOptions) error {
		_, err := h.Publish(t.Context(), topic, m, o)
		return err
	}
	joinIt := func(topic string, conn *ws.Conn, o *hub.JoinOptions) error {
		_, err := h.Join(t.Context(), topic, conn, o)
		return err
	}
	long := strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"too many topics of a connection": {joinIt("c", conn, nil), "Limits.Topics allows 2"},
		"twice":                           {joinIt("a", conn, nil), "already a member"},
		"a long topic":                    {joinIt(long, other, nil), "Limits.TopicLength allows 255"},
		"no topic":                        {joinIt("", other, nil), "invalid topic name"},
		"a topic that is not UTF-8":       {joinIt("\xff", other, nil), "invalid topic name"},
		"Oldest and Since":                {joinIt("a", other, &hub.JoinOptions{Oldest: true, Since: hub.MakePosition("e", 1)}), "JoinOptions.Oldest"},
		"a long key":                      {joinIt("a", other, &hub.JoinOptions{Key: long}), "JoinOptions.Key"},
		"info without a key":              {joinIt("a", other, &hub.JoinOptions{Info: []byte("x")}), "JoinOptions.Info"},
		"much info":                       {joinIt("a", other, &hub.JoinOptions{Key: "k", Info: make([]byte, 5000)}), "JoinOptions.Info"},
		"a large message":                 {publishIt("a", ws.Text("123456"), nil), "Limits.MessageSize allows 5"},
		"no kind":                         {publishIt("a", ws.Message{}, nil), "invalid message kind"},
		"not UTF-8":                       {publishIt("a", ws.Message{Kind: ws.KindText, Data: []byte{255}}, nil), "invalid UTF-8"},
		"a long ID":                       {publishIt("a", ws.Text("x"), &hub.PublishOptions{ID: long}), "PublishOptions.ID"},
		"a long PublishOptions.Key":       {publishIt("a", ws.Text("x"), &hub.PublishOptions{Key: long}), "PublishOptions.Key"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !errors.Is(c.err, errors.ErrWebSocket) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
	join(t, h, "c", other, nil)
	err := joinIt("d", other, nil)
	if l, ok := errors.AsType[*hub.LimitError](err); !ok || l.Name != "Limits.AllTopics" || l.Limit != 3 || l.Value != 4 {
		t.Errorf("too many topics in all: %v", err)
	}
	if s := h.Stats(); s.Members != 3 || s.Topics != 3 {
		t.Errorf("Stats: %+v", s)
	}
}

func TestInvalidRulesRefuse(t *testing.T) {
	h := newHub(t, &hub.Options{Rules: func(topic string) hub.Rules {
		if topic == "age" {
			return hub.Rules{Age: -1}
		}
		return hub.Rules{Slow: 3}
	}})
	conn, _ := pair(t)
	for topic, want := range map[string]string{"age": "Rules.Age is negative", "slow": "Rules.Slow is 3"} {
		_, err := h.Join(t.Context(), topic, conn, nil)
		_, err2 := h.Publish(t.Context(), topic, ws.Text("x"), nil)
		for _, err := range []error{err, err2} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	h := newHub(t, nil)
	conn, client := pair(t)
	m := join(t, h, "t", conn, &hub.JoinOptions{Key: "k"})
	watched := make(chan error, 1)
	go func() {
		var last error
		for _, err := range h.WatchPresence(context.Background(), "t") {
			last = err
		}
		watched <- last
	}()
	eventually(t, "the watch has begun", func() bool { return h.Stats().Topics == 1 })
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-watched; !errors.Is(err, hub.ErrClosed) {
		t.Errorf("WatchPresence ended with %v", err)
	}
	if conn.Err() != nil {
		t.Errorf("the connection has ended: %v", conn.Err())
	}
	expectNothing(t, client)
	_, joinErr := h.Join(t.Context(), "t", conn, nil)
	_, publishErr := h.Publish(t.Context(), "t", ws.Text("x"), nil)
	_, presentErr := h.Present(t.Context(), "t")
	_, othersErr := m.PublishToOthers(t.Context(), ws.Text("x"), nil)
	for name, err := range map[string]error{"Join": joinErr, "Publish": publishErr, "Present": presentErr, "Close": h.Close(t.Context())} {
		if !errors.Is(err, hub.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !errors.Is(othersErr, hub.ErrLeft) {
		t.Errorf("PublishToOthers: %v", othersErr)
	}
	for _, err := range h.Since(t.Context(), "t", hub.Position{}) {
		if !errors.Is(err, hub.ErrClosed) {
			t.Errorf("Since: %v", err)
		}
	}
	m.Leave()
}

func TestPositionsAreText(t *testing.T) {
	h := newHub(t, nil)
	p := publish(t, h, "t", "x")
	text, err := p.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var q hub.Position
	if err := q.UnmarshalText(text); err != nil || p != q || p.IsZero() {
		t.Errorf("%s became %v, %v", text, q, err)
	}
	if z, err := hub.ParsePosition(""); err != nil || !z.IsZero() || z.String() != "" {
		t.Errorf("the zero Position: %v, %v", z, err)
	}
	for _, bad := range []string{"x", "-1", "e-", "e-01", "e--1", "e-+1", "e-1 ", "é-1", "e-G", "e-1-2", strings.Repeat("e", 65) + "-1", "e-zzzzzzzzzzzzzzz"} {
		if _, err := hub.ParsePosition(bad); err == nil || !strings.Contains(err.Error(), strconv.Quote(bad)) {
			t.Errorf("ParsePosition(%q): %v", bad, err)
		}
	}
}
