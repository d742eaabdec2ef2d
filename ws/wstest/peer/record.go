package peer

import (
	"context"
	"slices"
	"sync"
)

// record holds the events that the behaviours of one id saw.
type record struct {
	mu      sync.Mutex
	events  []string
	over    bool
	changed chan struct{}
	told    chan struct{} // capacity 1: a tell is kept until waitTold receives it
}

func (r *record) add(event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
	close(r.changed)
	r.changed = make(chan struct{})
}

// end marks the behaviour as over.
func (r *record) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	close(r.changed)
	r.changed = make(chan struct{})
}

// wait returns the events once the behaviour is over, or event is among them,
// or ctx has ended.
func (r *record) wait(ctx context.Context, event string) []string {
	for {
		r.mu.Lock()
		events, over, changed := slices.Clone(r.events), r.over, r.changed
		r.mu.Unlock()
		if over || event != "" && slices.Contains(events, event) {
			return events
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return events
		}
	}
}

// records holds the record of each id.
type records struct {
	mu   sync.Mutex
	byID map[string]*record
}

func (rs *records) of(id string) *record {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.byID[id]
	if r == nil {
		r = &record{changed: make(chan struct{}), told: make(chan struct{}, 1)}
		if id != "" {
			rs.byID[id] = r
		}
	}
	return r
}

// forget drops the record of an id after it was read in full.
func (rs *records) forget(id string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.byID, id)
}
