package hub

import "time"

const (
	// firstRetry and maxRetry bound the time between two questions to an engine that has
	// failed, or whose history does not yet have the entries that arrived live.
	firstRetry = 50 * time.Millisecond
	maxRetry   = 5 * time.Second
	// patience is how long history may lack entries that arrived live before they count as a gap.
	patience = 10 * time.Second
)

// repair starts to fetch missing entries from history. mu is held.
func (t *topic) repair() {
	if t.repairing || !t.hub.begin() {
		return
	}
	t.repairing = true
	go t.runRepair()
}

// runRepair fetches the entries after position until none is missing. Meanwhile entries
// that are next are still delivered as they arrive.
func (t *topic) runRepair() {
	defer t.hub.work.Done()
	began, messages, wait := time.Now(), 0, firstRetry
	progressed := began
	for {
		t.mu.Lock()
		after := t.position
		t.doubt = false
		t.mu.Unlock()
		entries, top, err := t.hub.since(t.hub.ctx, t.name, after, sincePage)
		if err != nil {
			t.hub.failed(t.name, err)
		}
		t.mu.Lock()
		switch {
		case t.closed:
		case err != nil:
			t.doubt = true
		default:
			messages += t.takeRepaired(entries, after, top, time.Since(progressed) >= patience)
		}
		moved := t.position != after
		if t.closed || !t.doubt && len(t.arrived) == 0 {
			t.repairing = false
			t.mu.Unlock()
			break
		}
		t.mu.Unlock()
		if moved {
			progressed, wait = time.Now(), firstRetry
			continue
		}
		if !t.hub.sleep(wait) {
			return // closed
		}
		wait = min(2*wait, maxRetry)
	}
	if t.hub.trace.Repaired != nil {
		t.hub.trace.Repaired(t.name, messages, time.Since(began))
	}
}

// takeRepaired delivers the entries that history has after a position, and then those that
// had arrived. last means that history has lacked arrived entries for too long. It returns
// how many messages came from history. mu is held.
func (t *topic) takeRepaired(entries []*Entry, after, top Position, last bool) (messages int) {
	for _, e := range entries {
		if e.Position.notAfter(t.position) { // it has arrived meanwhile
			continue
		}
		if e.Prev != t.position {
			t.lost(&Gap{Topic: t.name, After: t.position, Until: e.Prev})
		}
		t.fanOut(e)
		messages++
	}
	if len(entries) == sincePage {
		t.doubt = true // there may be more
	}
	if len(entries) == 0 && after == t.position && after != top && !top.notAfter(after) {
		t.lost(&Gap{Topic: t.name, After: after, Until: top})
	}
	t.takeArrived()
	if last && after == t.position && len(t.arrived) > 0 {
		e := t.arrived[0]
		t.arrived = t.arrived[1:]
		if e.Position.epoch == after.epoch {
			t.lost(&Gap{Topic: t.name, After: after, Until: e.Prev})
			t.fanOut(e)
		} // otherwise it is a late entry of an epoch that has ended
		t.takeArrived()
	}
	return messages
}

// sleep waits, and reports false if the Hub is closed meanwhile.
func (h *Hub) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.ctx.Done():
		return false
	}
}

// failed records that an engine's call has failed and will be repeated.
func (h *Hub) failed(topic string, err error) {
	h.stats.failures.Add(1)
	if h.trace.Failed != nil && h.ctx.Err() == nil {
		h.trace.Failed(topic, err)
	}
}
