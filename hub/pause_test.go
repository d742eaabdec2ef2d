package hub_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// gapFormat sends a gap as a message.
var gapFormat = &hub.Format{Gap: func(string, *hub.Gap) ws.Message { return ws.Text("gap") }}

func TestPauseAndResume(t *testing.T) {
	h := newHub(t, &hub.Options{Rules: func(string) hub.Rules { return hub.Rules{History: 3} }})
	conn, client := pair(t)
	m := join(t, h, "t", conn, &hub.JoinOptions{Format: gapFormat, Key: "ann"})
	publish(t, h, "t", "1")
	m.Pause()
	m.Pause()
	paused := m.Position()
	publish(t, h, "t", "2")
	publish(t, h, "t", "3")
	expect(t, client, "1")
	expectNothing(t, client)
	if got := present(t, h, "t"); got != "ann=" {
		t.Errorf("during the pause %q is present, want ann", got)
	}
	m.Resume(hub.Position{})
	m.Resume(hub.Position{})
	expect(t, client, "2", "3")
	publish(t, h, "t", "4")
	expect(t, client, "4")

	m.Pause()
	m.Resume(paused) // an earlier position
	expect(t, client, "2", "3", "4")

	m.Pause()
	for i := range 5 {
		publish(t, h, "t", fmt.Sprint(5+i))
	}
	m.Resume(hub.Position{})
	expect(t, client, "gap", "7", "8", "9")
	publish(t, h, "t", "10")
	expect(t, client, "10")
	eventually(t, "it has caught up", func() bool { return h.Stats().Behind == 0 })

	m.Pause()
	m.Leave()
	m.Pause()
	m.Resume(hub.Position{})
	publish(t, h, "t", "11")
	expectNothing(t, client)
	if s := h.Stats(); s.Members != 0 || s.Behind != 0 {
		t.Errorf("after Leave: %+v", s)
	}
}

func TestJoinPaused(t *testing.T) {
	h := newHub(t, nil)
	first := publish(t, h, "t", "1")
	second := publish(t, h, "t", "2")
	for _, c := range []struct {
		name    string
		options hub.JoinOptions
		begin   hub.Position
		want    []string
	}{
		{"now", hub.JoinOptions{}, second, []string{"3"}},
		{"since", hub.JoinOptions{Since: first}, first, []string{"2", "3"}},
		{"oldest", hub.JoinOptions{Oldest: true}, hub.Position{}, []string{"1", "2", "3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options.Paused = true
			conn, client := pair(t)
			m := join(t, h, "t", conn, &c.options)
			expectNothing(t, client)
			if m.Position() != c.begin {
				t.Errorf("Position is %v, want %v", m.Position(), c.begin)
			}
			if c.name == "now" {
				publish(t, h, "t", "3")
			}
			m.Resume(hub.Position{})
			expect(t, client, c.want...)
		})
	}
}

// TestPauseWhileCatchingUp pauses and resumes members at random moments of a recovery.
func TestPauseWhileCatchingUp(t *testing.T) {
	const messages = 500
	h := newHub(t, &hub.Options{
		Rules:  func(string) hub.Rules { return hub.Rules{History: messages} },
		Limits: hub.Limits{Unread: 100},
	})
	conn, client := pair(t)
	m := join(t, h, "t", conn, nil)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				m.Pause()
				m.Resume(hub.Position{})
			}
		}
	}()
	for i := range messages {
		publish(t, h, "t", fmt.Sprint(i))
	}
	for i := range messages {
		expect(t, client, fmt.Sprint(i))
	}
	close(stop)
	<-done
	expectNothing(t, client)
}

func TestRecoveryLimit(t *testing.T) {
	h := newHub(t, &hub.Options{Limits: hub.Limits{Recovery: 3}})
	var positions []hub.Position
	for i := range 6 {
		positions = append(positions, publish(t, h, "t", fmt.Sprint(i)))
	}
	for _, c := range []struct {
		name  string
		since int
		want  []string
	}{
		{"as many as allowed", 2, []string{"3", "4", "5"}},
		{"more", 0, []string{"1", "2", "3", "gap"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, client := pair(t)
			m := join(t, h, "t", conn, &hub.JoinOptions{Since: positions[c.since], Format: gapFormat})
			expect(t, client, c.want...)
			eventually(t, "it has caught up", func() bool { return h.Stats().Behind == 0 })
			publish(t, h, "t", "live")
			expect(t, client, "live")
			if m.Position() == positions[5] {
				t.Error("Position has not moved")
			}
			m.Leave()
			positions = append(positions[:0], publish(t, h, "t", "0"))
			for i := range 5 {
				positions = append(positions, publish(t, h, "t", fmt.Sprint(1+i)))
			}
		})
	}
}

func TestPosition(t *testing.T) {
	h := newHub(t, nil)
	position := func() hub.Position {
		t.Helper()
		p, err := h.Position(t.Context(), "t")
		if err != nil || p.IsZero() {
			t.Fatalf("Position returned %v, %v", p, err)
		}
		return p
	}
	first := position()
	if second := publish(t, h, "t", "1"); position() != second || first == second {
		t.Errorf("after a message Position is %v, want %v, and not %v", position(), second, first)
	}
	conn, client := pair(t)
	join(t, h, "t", conn, &hub.JoinOptions{Since: first})
	expect(t, client, "1")
	if third := publish(t, h, "t", "2"); position() != third {
		t.Errorf("with a member Position is %v, want %v", position(), third)
	}
	if _, err := h.Position(t.Context(), ""); !errors.Is(err, hub.ErrInvalidTopic) {
		t.Errorf("of no topic: %v", err)
	}
	h.Close(t.Context())
	if _, err := h.Position(t.Context(), "t"); !errors.Is(err, hub.ErrClosed) {
		t.Errorf("of a closed hub: %v", err)
	}
}

func TestFollowPresence(t *testing.T) {
	h := newHub(t, nil)
	calls := make(chan int)
	ended := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- h.FollowPresence(ctx, "t", func(changes []hub.Presence) bool {
			calls <- len(changes)
			return true
		})
	}()
	if n := <-calls; n != 0 {
		t.Errorf("the first call got %d, want none", n)
	}
	conn, _ := pair(t)
	join(t, h, "t", conn, &hub.JoinOptions{Key: "ann"})
	if n := <-calls; n != 1 {
		t.Errorf("the second call got %d changes, want 1", n)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if err := h.FollowPresence(t.Context(), "t", func([]hub.Presence) bool { return false }); err != nil {
		t.Errorf("false: %v", err)
	}
}

// TestPauseOfLatest has a topic without history, of which only the newest values count.
func TestPauseOfLatest(t *testing.T) {
	h := newHub(t, &hub.Options{Rules: func(string) hub.Rules { return hub.Rules{History: -1, Slow: hub.Latest} }})
	set := func(key, text string) hub.Position {
		t.Helper()
		p, err := h.Publish(t.Context(), "t", ws.Text(text), &hub.PublishOptions{Key: key})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	conn, client := pair(t)
	m := join(t, h, "t", conn, &hub.JoinOptions{Format: gapFormat})
	old := set("a", "a0")
	last := set("b", "b0")
	expect(t, client, "a0", "b0")
	m.Pause()
	set("a", "a1")
	set("b", "b1")
	set("a", "a2")
	m.Resume(last)
	expect(t, client, "b1", "a2")
	set("b", "b2")
	expect(t, client, "b2")
	m.Pause()
	m.Resume(old) // before the pause: it is not known what came after it
	expect(t, client, "gap")
	set("a", "a3")
	expect(t, client, "a3")
	m.Pause()
	set("a", "a4")
	m.Leave()
	conn2, client2 := pair(t)
	join(t, h, "t", conn2, nil)
	set("a", "a5")
	expect(t, client2, "a5")
	expectNothing(t, client)
}
