package stream

import "time"

// restAfter is how long no message has to be compressed, at least, before a connection gives its
// compressor back. After twice that it has.
const restAfter = time.Second

// warmth says whether compressed messages follow each other closely. While they do, a connection
// with context takeover holds its compressor, which has about 1 MiB. Otherwise it gives it back
// after each message and keeps the window, and the next message pays for compressing the window
// once more: as much time as a message of 32 KiB takes. So a connection that has one message to
// send now and then, of very many that are sent one at once, never holds a compressor.
type warmth uint8

const (
	cold    warmth = iota // none was compressed within restAfter
	cooling               // the timer runs, and none was compressed since it was set
	hot                   // the timer runs, and one was
)

// compressed takes note of a message that was compressed with context takeover. Called with mu held.
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

// cool gives the compressor back if none was needed since the timer was set. It must not keep a
// connection that has ended.
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
