package topic

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/isosocket/isosocket/internal/topicwire"
	"github.com/isosocket/isosocket/ws"
)

// watch is a Present that is under way. It is guarded by Client.mu.
type watch struct {
	subscription *Subscription
	number       string // of the request on this connection; "" if none was sent
	refusals     int
	here         map[string]string // who is present, with info, by key
	seen         map[string]bool   // who was named since the watch began; nil when all were
	told         map[string]string // as here, as the program knows it
	changed      []string          // keys that the program is to look at, without doubles
	dirty        map[string]bool   // the same
	waiting      chan struct{}
	err          error
}

// Present returns an iterator over who is present in the topic, and then over the changes,
// until ctx ends, whose error comes last, or the subscription. A user whose Info changes
// is yielded again. Changes of one user that a slow loop has not taken yet become one.
// After a reconnect, only what has changed meanwhile is yielded. If the server does not
// allow it, the error is a [*RefusedError].
func (s *Subscription) Present(ctx context.Context) iter.Seq2[Presence, error] {
	return func(yield func(Presence, error) bool) {
		c := s.client
		w := &watch{subscription: s, here: make(map[string]string), told: make(map[string]string), dirty: make(map[string]bool)}
		c.mu.Lock()
		w.err = s.ended()
		s.watches = append(s.watches, w)
		if l := c.link; l != nil && s.live && w.err == nil {
			w.begin(l)
		}
		c.mu.Unlock()
		defer w.stop()
		for {
			c.mu.Lock()
			changes, err := w.changes(), w.err
			if w.waiting == nil {
				w.waiting = make(chan struct{})
			}
			waiting := w.waiting
			c.mu.Unlock()
			for _, p := range changes {
				if !yield(p, nil) {
					return
				}
			}
			if err == nil {
				err = mayWait("Present", "run the loop on another goroutine")
			}
			if err != nil {
				yield(Presence{}, err)
				return
			}
			select {
			case <-waiting:
			case <-ctx.Done():
				yield(Presence{}, &waitError{"present", ctx.Err()})
				return
			}
		}
	}
}

// stop ends the watch.
func (w *watch) stop() {
	s := w.subscription
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(s.watches, w); i >= 0 {
		s.watches = slices.Delete(s.watches, i, i+1)
	}
	if l := c.link; l != nil && l.watches[w.number] == w {
		delete(l.watches, w.number)
		delete(l.requests, w.number)
		l.request(ws.Message{}, func(*topicwire.Frame) {}, "unwatch", w.number)
	}
}

// The methods below are called with Client.mu held.

// begin asks the server who is present.
func (w *watch) begin(l *link) {
	w.seen = make(map[string]bool)
	w.number = l.request(ws.Message{}, func(f *topicwire.Frame) {
		if f.Verb == "no" {
			w.refused(l, f)
		}
	}, "watch", w.subscription.topic)
	l.watches[w.number] = w
}

// refused takes the refusal of a watch, or its end.
func (w *watch) refused(l *link, f *topicwire.Frame) {
	delete(l.watches, f.Field(0))
	s := w.subscription
	code := f.Field(1)
	if !temporary(code) {
		w.finish(&RefusedError{s.topic, code, f.Text()})
		return
	}
	number := w.number
	time.AfterFunc(again(w.refusals), func() {
		s.client.mu.Lock()
		defer s.client.mu.Unlock()
		if s.client.link == l && w.number == number && slices.Contains(s.watches, w) {
			w.begin(l)
		}
	})
	w.refusals++
}

// finish ends the watch with err.
func (w *watch) finish(err error) {
	w.err = err
	w.wake()
}

func (w *watch) wake() {
	if w.waiting != nil {
		close(w.waiting)
		w.waiting = nil
	}
}

// take takes a message of the watch.
func (w *watch) take(f *topicwire.Frame) {
	key := f.Field(1)
	switch f.Verb {
	case "here":
		w.here[key] = f.Text()
		if w.seen != nil {
			w.seen[key] = true
		}
		w.change(key)
	case "gone":
		delete(w.here, key)
		w.change(key)
	case "all":
		for key := range w.here {
			if w.seen != nil && !w.seen[key] {
				delete(w.here, key)
				w.change(key)
			}
		}
		w.seen, w.refusals = nil, 0
	}
}

func (w *watch) change(key string) {
	if !w.dirty[key] {
		w.dirty[key] = true
		w.changed = append(w.changed, key)
	}
	w.wake()
}

// changes returns what the program does not know yet.
func (w *watch) changes() []Presence {
	var all []Presence
	for _, key := range w.changed {
		info, here := w.here[key]
		known, was := w.told[key]
		switch {
		case here == was && info == known:
			continue
		case here:
			w.told[key] = info
		default:
			delete(w.told, key)
		}
		all = append(all, Presence{Key: key, Info: info, Here: here})
	}
	w.changed = w.changed[:0]
	clear(w.dirty)
	return all
}
