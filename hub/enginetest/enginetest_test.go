package enginetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/isosocket/isosocket/hub"
	"github.com/isosocket/isosocket/internal/testing/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func openMemory(t testing.TB, n int) []hub.Engine {
	m, err := hub.NewMemory(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	return slices.Repeat([]hub.Engine{m}, n)
}

func TestMemory(t *testing.T) { Run(t, Target{Open: openMemory}) }

// faulty is an engine with a mistake.
type faulty struct {
	hub.Engine
	publish   func(e hub.Engine, topic string, entry *hub.Entry, keep hub.Keep) (hub.Position, error)
	subscribe func(e hub.Engine, topic string, s hub.Subscriber) (hub.Subscription, hub.Position, error)
	since     func(e hub.Engine, topic string, after hub.Position, limit int) ([]*hub.Entry, hub.Position, error)
	close     func(e hub.Engine) error
}

func (f *faulty) Publish(ctx context.Context, topic string, e *hub.Entry, keep hub.Keep) (hub.Position, error) {
	if f.publish != nil {
		return f.publish(f.Engine, topic, e, keep)
	}
	return f.Engine.Publish(ctx, topic, e, keep)
}

func (f *faulty) Subscribe(ctx context.Context, topic string, s hub.Subscriber) (hub.Subscription, hub.Position, error) {
	if f.subscribe != nil {
		return f.subscribe(f.Engine, topic, s)
	}
	return f.Engine.Subscribe(ctx, topic, s)
}

func (f *faulty) Since(ctx context.Context, topic string, after hub.Position, limit int) ([]*hub.Entry, hub.Position, error) {
	if f.since != nil {
		return f.since(f.Engine, topic, after, limit)
	}
	return f.Engine.Since(ctx, topic, after, limit)
}

func (f *faulty) Close(ctx context.Context) error {
	if f.close != nil {
		return f.close(f.Engine)
	}
	return f.Engine.Close(ctx)
}

// onDeliver is a Subscriber that calls a function for each entry.
type onDeliver struct {
	hub.Subscriber
	f func(s hub.Subscriber, e *hub.Entry)
}

func (o onDeliver) Deliver(e *hub.Entry) { o.f(o.Subscriber, e) }

// sticky is a Subscription that withdraws nothing.
type sticky struct{ hub.Subscription }

func (s sticky) Announce(p hub.Presence) {
	if p.Here {
		s.Subscription.Announce(p)
	}
}

// endless is a Subscription that cannot be ended.
type endless struct{ hub.Subscription }

func (endless) Cancel() {}

func delivering(f func(s hub.Subscriber, e *hub.Entry)) *faulty {
	return &faulty{subscribe: func(e hub.Engine, topic string, s hub.Subscriber) (hub.Subscription, hub.Position, error) {
		return e.Subscribe(context.Background(), topic, onDeliver{s, f})
	}}
}

// clone returns a copy of an entry with another Prev.
func clone(e *hub.Entry, prev hub.Position) *hub.Entry {
	return &hub.Entry{Position: e.Position, Prev: prev, Time: e.Time, Key: e.Key, ID: e.ID, Except: e.Except, Message: e.Message}
}

// recorder is a testing.TB that records failures.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Error(args ...any) { r.Errorf("%s", fmt.Sprint(args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// failsCase returns why a case fails with an engine, nil if it passes.
func failsCase(t *testing.T, name string, f *faulty) []string {
	t.Helper()
	i := slices.IndexFunc(cases, func(c testCase) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no case %s", name)
	}
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(r, &Target{Patience: 300 * time.Millisecond, Open: func(tb testing.TB, n int) []hub.Engine {
			f.Engine = openMemory(tb, 1)[0]
			return slices.Repeat([]hub.Engine{f}, n)
		}}, cases[i])
	}()
	<-done
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
	return r.failures
}

// TestMistakesAreFound shows for each rule an engine that breaks it.
func TestMistakesAreFound(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		breaks string
		engine *faulty
		want   string
	}{
		"hides a loss": {"PublishersOfAllMachinesHaveOneOrder", func() *faulty {
			var mu sync.Mutex
			last := map[hub.Subscriber]hub.Position{}
			return delivering(func(s hub.Subscriber, e *hub.Entry) {
				mu.Lock()
				prev, ok := last[s]
				if !ok {
					prev = e.Prev
				}
				lose := len(e.Message.Data)%2 == 0 && ok
				if !lose {
					last[s] = e.Position
				}
				mu.Unlock()
				if !lose {
					s.Deliver(clone(e, prev))
				}
			})
		}(), "with Prev"},
		"loses the last ones silently": {"PublishersOfAllMachinesHaveOneOrder", func() *faulty {
			var mu sync.Mutex
			n := map[hub.Subscriber]int{}
			return delivering(func(s hub.Subscriber, e *hub.Entry) {
				mu.Lock()
				n[s]++
				deliver := n[s] < 50
				mu.Unlock()
				if deliver {
					s.Deliver(e)
				}
			})
		}(), "or Doubt"},
		"treats a name as a pattern": {"TopicNamesAreKeptApart", &faulty{publish: func(e hub.Engine, topic string, entry *hub.Entry, keep hub.Keep) (hub.Position, error) {
			return e.Publish(ctx, strings.ToLower(topic), entry, keep)
		}}, `"A"`},
		"forgets IDs": {"AnIDIsPublishedOnce", &faulty{publish: func(e hub.Engine, topic string, entry *hub.Entry, keep hub.Keep) (hub.Position, error) {
			keep.IDs = 0
			return e.Publish(ctx, topic, entry, keep)
		}}, "the repetition is at"},
		"keeps too much": {"CountBoundsHistory", &faulty{publish: func(e hub.Engine, topic string, entry *hub.Entry, keep hub.Keep) (hub.Position, error) {
			keep.Messages++
			return e.Publish(ctx, topic, entry, keep)
		}}, "has 5 entries"},
		"says a top that is later than its entries": {"SinceAgreesWithItself", &faulty{since: func(e hub.Engine, topic string, after hub.Position, limit int) ([]*hub.Entry, hub.Position, error) {
			entries, _, err := e.Since(ctx, topic, after, limit)
			if err != nil {
				return nil, hub.Position{}, err
			}
			time.Sleep(2 * time.Millisecond)
			_, top, err := e.Since(ctx, topic, after, limit)
			return entries, top, err
		}}, "the position of one as top"},
		"keeps nothing": {"SinceReturnsPages", &faulty{publish: func(e hub.Engine, topic string, entry *hub.Entry, keep hub.Keep) (hub.Position, error) {
			keep.Messages = 0
			return e.Publish(ctx, topic, entry, keep)
		}}, "has 25 entries"},
		"takes every position for its own": {"AnotherEpochIsNotThisOne", &faulty{since: func(e hub.Engine, topic string, after hub.Position, limit int) ([]*hub.Entry, hub.Position, error) {
			entries, top, err := e.Since(ctx, topic, after, limit)
			if len(entries) > 0 && after.Epoch() == "another" {
				entries = slices.Clone(entries)
				entries[0] = clone(entries[0], after)
			}
			return entries, top, err
		}}, "as if nothing was missing"},
		"hides what was evicted": {"CountBoundsHistory", &faulty{since: func(e hub.Engine, topic string, after hub.Position, limit int) ([]*hub.Entry, hub.Position, error) {
			entries, top, err := e.Since(ctx, topic, after, limit)
			if len(entries) > 0 && !after.IsZero() {
				entries = slices.Clone(entries)
				entries[0] = clone(entries[0], after)
			}
			return entries, top, err
		}}, "as if nothing was missing"},
		"drops a field": {"EntriesArriveWhole", &faulty{publish: func(e hub.Engine, topic string, entry *hub.Entry, keep hub.Keep) (hub.Position, error) {
			stripped := clone(entry, hub.Position{})
			stripped.Key = ""
			p, err := e.Publish(ctx, topic, stripped, keep)
			entry.Position, entry.Prev = p, stripped.Prev
			return p, err
		}}, `Key ""`},
		"says a wrong top": {"TopIsThePrevOfTheNext", &faulty{subscribe: func(e hub.Engine, topic string, s hub.Subscriber) (hub.Subscription, hub.Position, error) {
			sub, top, err := e.Subscribe(ctx, topic, s)
			return sub, hub.MakePosition(top.Epoch(), top.Offset()+7), err
		}}, "top is the first entry"},
		"goes on after Cancel": {"CancelEndsDelivery", &faulty{subscribe: func(e hub.Engine, topic string, s hub.Subscriber) (hub.Subscription, hub.Position, error) {
			sub, top, err := e.Subscribe(ctx, topic, s)
			return endless{sub}, top, err
		}}, "after Cancel"},
		"keeps ghosts": {"PresenceReachesAllMachines", &faulty{subscribe: func(e hub.Engine, topic string, s hub.Subscriber) (hub.Subscription, hub.Position, error) {
			sub, top, err := e.Subscribe(ctx, topic, s)
			return sticky{sub}, top, err
		}}, "present"},
		"lives on after Close": {"CloseEndsEverything", &faulty{close: func(hub.Engine) error { return nil }}, "after Close: no error"},
	} {
		t.Run(name, func(t *testing.T) {
			failures := failsCase(t, c.breaks, c.engine)
			if !strings.Contains(strings.Join(failures, "\n"), c.want) {
				t.Errorf("%s says %q, want %q", c.breaks, failures, c.want)
			}
		})
	}
}
