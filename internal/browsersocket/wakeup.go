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
// in a task of its own. So while messages stream in, the wake-up is late: it is queued
// after the tasks that already wait, and finds many messages. While messages arrive one
// by one, it is prompt. It finds out by trying which of the two applies.
type wakeup struct {
	c chan struct{} // buffers one wake-up

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

// adapt chooses the next mode. several says that a wake-up found several messages.
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
