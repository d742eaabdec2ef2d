package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/ws"
)

// present returns who is present, as text.
func present(t *testing.T, h *hub.Hub, topic string) string {
	t.Helper()
	all, err := h.Present(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, p := range all {
		s = append(s, p.Key+"="+string(p.Info))
	}
	return strings.Join(s, " ")
}

// watch collects the values that a WatchPresence yields.
func watch(t *testing.T, h *hub.Hub, topic string) (changes <-chan string) {
	t.Helper()
	c := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p, err := range h.WatchPresence(ctx, topic) {
			switch {
			case err != nil:
				if !errors.Is(err, context.Canceled) && !errors.Is(err, hub.ErrClosed) {
					t.Errorf("WatchPresence: %v", err)
				}
			case p.Here:
				c <- "+" + p.Key + "=" + string(p.Info)
			default:
				c <- "-" + p.Key
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return c
}

// changesOf returns the values yielded so far.
func changesOf(changes <-chan string) string {
	synctest.Wait()
	var s []string
	for {
		select {
		case c := <-changes:
			s = append(s, c)
		default:
			return strings.Join(s, " ")
		}
	}
}

func TestPresenceOutlivesAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, nil)
		first, atFirst := pair(t)
		join(t, h, "t", first, &hub.JoinOptions{Key: "bob", Info: []byte("1")})
		changes := watch(t, h, "t")
		if got := changesOf(changes); got != "+bob=1" || present(t, h, "t") != "bob=1" {
			t.Fatalf("%q, %q", got, present(t, h, "t"))
		}

		atFirst.Close(errors.GoingAway, "")
		time.Sleep(hub.DefaultGrace - time.Millisecond)
		if got := present(t, h, "t"); got != "bob=1" {
			t.Fatalf("within the grace: %q", got)
		}
		second, atSecond := pair(t)
		join(t, h, "t", second, &hub.JoinOptions{Key: "bob", Info: []byte("1")})
		time.Sleep(time.Minute)
		if got := changesOf(changes); got != "" {
			t.Errorf("a reconnect is %q", got)
		}

		third, _ := pair(t)
		m := join(t, h, "t", third, &hub.JoinOptions{Key: "bob", Info: []byte("2")})
		atSecond.Close(errors.GoingAway, "")
		time.Sleep(time.Minute)
		if got := changesOf(changes); got != "+bob=2" {
			t.Errorf("a second connection with other info, and the end of the first: %q", got)
		}
		if err := m.SetInfo([]byte("3")); err != nil {
			t.Error(err)
		}
		if got := changesOf(changes); got != "+bob=3" {
			t.Errorf("SetInfo: %q", got)
		}
		m.Leave()
		if got := changesOf(changes); got != "-bob" || present(t, h, "t") != "" {
			t.Errorf("Leave: %q, %q", got, present(t, h, "t"))
		}
	})
}

func TestPresenceEndsAfterTheGrace(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Second, -1} {
		t.Run(fmt.Sprint(grace), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, &hub.Options{Grace: grace})
				conn, client := pair(t)
				join(t, h, "t", conn, &hub.JoinOptions{Key: "bob"})
				client.Close(errors.NormalClosure, "")
				synctest.Wait()
				wait := grace
				if wait == 0 {
					wait = hub.DefaultGrace
				}
				if grace > 0 && present(t, h, "t") != "bob=" {
					t.Error("the key was removed at once")
				}
				time.Sleep(max(wait, 0))
				synctest.Wait()
				if got := present(t, h, "t"); got != "" {
					t.Errorf("%q are present", got)
				}
				if s := h.Stats(); s.Topics != 0 || s.Members != 0 || s.Connections != 0 {
					t.Errorf("Stats: %+v", s)
				}
			})
		})
	}
}

func TestCloseDuringAGraceLeavesNothing(t *testing.T) {
	h := newHub(t, nil)
	conn, client := pair(t)
	join(t, h, "t", conn, &hub.JoinOptions{Key: "bob"})
	client.Close(errors.NormalClosure, "")
	eventually(t, "the membership has ended", func() bool { return h.Stats().Members == 0 })
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPresenceOfTwoHubs(t *testing.T) {
	engine, err := hub.NewMemory(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close(context.Background())
	h1, h2 := newHub(t, &hub.Options{Engine: engine}), newHub(t, &hub.Options{Engine: engine})
	a, _ := pair(t)
	b, atB := pair(t)
	join(t, h1, "t", a, &hub.JoinOptions{Key: "ann"})
	m := join(t, h2, "t", b, &hub.JoinOptions{Key: "bob"})
	for i, h := range []*hub.Hub{h1, h2} {
		if got := present(t, h, "t"); got != "ann= bob=" {
			t.Errorf("hub %d: %q", i, got)
		}
	}
	// Each Hub numbers its own connections.
	if _, err := m.PublishToOthers(t.Context(), ws.Text("x"), nil); err != nil {
		t.Fatal(err)
	}
	publish(t, h1, "t", "y")
	expect(t, atB, "y")
	if err := h1.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := present(t, h2, "t"); got != "bob=" {
		t.Errorf("after the other Hub was closed: %q", got)
	}
}

func TestSetInfoNeedsAKey(t *testing.T) {
	h := newHub(t, nil)
	conn, _ := pair(t)
	m := join(t, h, "t", conn, nil)
	if err := m.SetInfo(nil); err == nil || !strings.Contains(err.Error(), "JoinOptions.Key is empty") {
		t.Errorf("without a key: %v", err)
	}
	other, _ := pair(t)
	m = join(t, h, "t", other, &hub.JoinOptions{Key: "k"})
	if err := m.SetInfo(make([]byte, 5000)); err == nil || !strings.Contains(err.Error(), "JoinOptions.Info allows 4096") {
		t.Errorf("too much: %v", err)
	}
	m.Leave()
	if err := m.SetInfo(nil); !errors.Is(err, hub.ErrLeft) {
		t.Errorf("after Leave: %v", err)
	}
}
