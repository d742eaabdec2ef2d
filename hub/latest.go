package hub

import "container/list"

// latest holds the newest entry of each key while slow members wait for them. It is guarded
// by the topic's mu.
type latest struct {
	waiting int        // members; it exists only while there are any
	order   *list.List // of numbered, oldest first
	byKey   map[string]*list.Element
	number  uint64 // of the newest entry
	max     int    // keys

	dropped   uint64 // the number of the newest entry that was dropped to make space, 0 for none
	droppedAt Position
}

type numbered struct {
	number uint64
	entry  *Entry
}

func newLatest(limit int) *latest {
	return &latest{order: list.New(), byKey: make(map[string]*list.Element), max: limit}
}

// add takes e in the place of the one with the same key.
func (l *latest) add(e *Entry) {
	l.number++
	if old := l.byKey[e.Key]; old != nil {
		l.order.Remove(old)
	}
	l.byKey[e.Key] = l.order.PushBack(numbered{l.number, e})
	if l.order.Len() > l.max {
		first := l.order.Front()
		n := l.order.Remove(first).(numbered)
		delete(l.byKey, n.entry.Key)
		l.dropped, l.droppedAt = n.number, n.entry.Position
	}
}

// bringLatest sends b's member the newest entries that it has missed. mu is held.
func (t *topic) bringLatest(b *behind) step {
	l := t.latest
	if l.dropped > b.after {
		if next := t.bringGap(b, &Gap{Topic: t.name, After: b.position, Until: l.droppedAt}); next != stepOn {
			return next
		}
		b.after, b.position = l.dropped, l.droppedAt
	}
	for el := l.order.Front(); el != nil; el = el.Next() {
		n := el.Value.(numbered)
		if n.number <= b.after {
			continue
		}
		if next := t.bringEntry(b, n.entry); next != stepOn {
			return next
		}
		b.after, b.position = n.number, n.entry.Position
	}
	b.position = t.position
	return t.caughtUp(b)
}
