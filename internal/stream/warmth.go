package stream

import "time"

// restAfter is the shortest pause after which a connection releases its compressor. The longest
// is twice that, since the timer is not reset for every message.
const restAfter = time.Second

// warmth records whether compressed messages follow each other closely. While they do, a connection
// with context takeover holds its compressor, which takes about 1 MiB. Otherwise it releases the
// compressor after each message and keeps the end of the data that it sent. The next message then
// costs the time to compress that data again. So if very many connections each send one message at
// the same time, none of them holds a compressor afterwards.
type warmth uint8

const (
	cold    warmth = iota // no message was compressed within restAfter
	cooling               // the timer runs, and no message was compressed since it was set
	hot                   // the timer runs, and a message was compressed since
)

// compressed records a message that was compressed with context takeover. Called with mu
// held.
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

// cool runs when the timer fires. It releases the compressor if no message needed it meanwhile.
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
