package stream

import "time"

// restAfter is the pause after which a connection gives its compressor back, at the least. At the
// most it is twice that, since the timer is not set anew for every message.
const restAfter = time.Second

// warmth says whether compressed messages follow each other closely. While they do, a connection
// with context takeover holds its compressor, which takes about 1 MiB. Otherwise it gives the
// compressor back after each message and keeps the end of what it sent; the next message then costs
// the time to compress that once more. So where very many connections have one message to send at
// the same time, none of them holds a compressor.
type warmth uint8

const (
	cold    warmth = iota // none was compressed within restAfter
	cooling               // the timer runs, and none was compressed since it was set
	hot                   // the timer runs, and one was
)

// compressed takes note of a message that was compressed with context takeover. Called with
// mu held.
func (w *writer) compressed() {
	if w.warmth != cold {
		w.warmth = hot
		return
	}
	w.encoder.Rest()
	w.coolLater()
}

// coolLater sets the timer. Called with mu held.
func (w *writer) coolLater() {
	w.warmth = cooling
	now := clock()
	time.AfterFunc(onBeat(now+restAfter)-now, w.cool)
}

// cool runs when the timer fires. It gives the compressor back if no message needed it meanwhile.
func (w *writer) cool() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.warmth == hot && w.broken == nil {
		w.coolLater()
		return
	}
	w.warmth = cold
	w.encoder.Rest()
}
