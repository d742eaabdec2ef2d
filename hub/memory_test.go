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

func newMemory(t *testing.T, o *hub.MemoryOptions) *hub.Memory {
	t.Helper()
	m, err := hub.NewMemory(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	return m
}

var keepAll = hub.Keep{Messages: 1000, Age: time.Hour}

func put(t *testing.T, m *hub.Memory, topic, text string, keep hub.Keep) hub.Position {
	t.Helper()
	p, err := m.Publish(t.Context(), topic, &hub.Entry{Message: ws.Text(text)}, keep)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func stored(t *testing.T, m *hub.Memory, topic string, after hub.Position) (texts []string, top hub.Position) {
	t.Helper()
	entries, top, err := m.Since(t.Context(), topic, after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		texts = append(texts, e.Message.String())
	}
	return texts, top
}

func TestMemoryDropsTheOldestOfAllTopics(t *testing.T) {
	m := newMemory(t, &hub.MemoryOptions{MaxBytes: 10_000})
	text := strings.Repeat("x", 300) // 1,000 bytes each, with overhead
	for i := range 30 {
		put(t, m, fmt.Sprint("t", i%3), text, keepAll)
	}
	for i := range 3 {
		if got, _ := stored(t, m, fmt.Sprint("t", i), hub.Position{}); len(got) < 3 || len(got) > 4 {
			t.Errorf("t%d has %d messages, want 3 or 4", i, len(got))
		}
	}
	put(t, m, "large", strings.Repeat("x", 20_000), keepAll)
	if got, _ := stored(t, m, "large", hub.Position{}); len(got) != 0 {
		t.Errorf("a message above the limit is kept")
	}
	put(t, m, "t0", text, keepAll)
	if got, _ := stored(t, m, "t0", hub.Position{}); len(got) != 1 {
		t.Errorf("t0 has %d messages, want 1", len(got))
	}
}

func TestMemoryExpiresTopicsThatAreNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, &hub.MemoryOptions{MaxTopics: 1})
		p := put(t, m, "t", "x", hub.Keep{Messages: 10, Age: time.Minute, IDs: time.Minute})
		refused := func() bool {
			_, err := m.Publish(t.Context(), "other", &hub.Entry{Message: ws.Text("y")}, keepAll)
			if l, ok := errors.AsType[*hub.LimitError](err); err != nil && (!ok || l.Name != "MemoryOptions.MaxTopics") {
				t.Fatal(err)
			}
			return err != nil
		}
		if !refused() {
			t.Error("a second topic while the first has history")
		}
		time.Sleep(23 * time.Hour)
		// The history has expired, but the topic is still known: no message was missed.
		if got, top := stored(t, m, "t", p); len(got) != 0 || top != p {
			t.Errorf("%v, top %v, want %v", got, top, p)
		}
		if refused() {
			t.Error("no second topic although the first can be forgotten")
		}
		// The topic is forgotten: a missed message can no longer be excluded.
		if got, top := stored(t, m, "t", p); len(got) != 0 || top == p {
			t.Errorf("%v, top %v, which is the position before", got, top)
		}
	})
}

func TestMemoryForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, nil)
		p := put(t, m, "t", "x", keepAll)
		put(t, m, "other", "y", keepAll)
		time.Sleep(hub.DefaultForget - time.Minute)
		if _, top := stored(t, m, "t", p); top != p {
			t.Errorf("top is %v, want %v", top, p)
		}
		time.Sleep(2 * time.Minute)
		if _, top := stored(t, m, "t", p); top == p {
			t.Error("the topic is remembered")
		}
		// A topic of the same name does not repeat positions.
		if next := put(t, m, "t", "z", keepAll); next.Epoch() != p.Epoch() || next.Offset() <= p.Offset() {
			t.Errorf("the next position is %v, after %v", next, p)
		}
	})
}

func TestMemoryOptionsWithoutLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, &hub.MemoryOptions{MaxTopics: -1, MaxBytes: -1, Forget: -1})
		p := put(t, m, "t", strings.Repeat("x", 1<<20), hub.Keep{Messages: 1, Age: time.Second})
		time.Sleep(1000 * time.Hour)
		if got, top := stored(t, m, "t", p); len(got) != 0 || top != p {
			t.Errorf("%v, top %v, want %v", got, top, p)
		}
	})
}
