//go:build js

package browsersocket

import "github.com/isosocket/isosocket/internal/relay"

const (
	// minPatience and maxPatience bound how many prompt wake-ups come before a
	// late one is tried.
	minPatience = 4
	maxPatience = 256
)

// wakeup chooses when the relay wakes Go. A call into Go costs as much as dozens
// of messages that JavaScript handles alone, and browsers deliver each message
// in a task of its own. So while messages stream in, the wake-up is late: it lines
// up behind the tasks that wait already, and finds many messages. It is prompt
// where messages come one by one, and which of the two it is is found by trying.
type wakeup struct {
	c chan struct{} // has room for one

	late     bool
	patience int
	count    int // prompt wake-ups since the last late one
}

func (w *wakeup) init() {
	w.c = make(chan struct{}, 1)
	w.patience = minPatience
}

func (w *wakeup) mode() relay.Mode {
	if w.late {
		return relay.Late
	}
	return relay.Promptly
}

// adapt is told whether a wake-up found several messages.
func (w *wakeup) adapt(r *relay.Relay, several bool) (relay.Mode, error) {
	switch {
	case several:
		w.patience, w.count = minPatience, 0
	case w.late:
		w.patience, w.count, w.late = min(2*w.patience, maxPatience), 0, false
	default:
		if w.count++; w.count >= w.patience {
			w.late = true
			if err := r.AllowLate(); err != nil {
				return relay.Never, err
			}
		}
	}
	return w.mode(), nil
}

func (w *wakeup) notify() {
	select {
	case w.c <- struct{}{}:
	default:
	}
}
