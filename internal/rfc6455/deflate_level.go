package rfc6455

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/flate"
)

// levelWriter compresses at the levels above 1, with a general writer. It implements io.Writer for
// what that writes.
type levelWriter struct {
	zw    *flate.Writer
	out   []byte
	level int
}

// levelWriters holds a *levelWriter in the pool of its level.
var levelWriters [maxLevel + 1]sync.Pool

// takeLevelWriter returns a writer without context.
func takeLevelWriter(level int) *levelWriter {
	if w, _ := levelWriters[level].Get().(*levelWriter); w != nil {
		w.zw.Reset(w)
		return w
	}
	w := &levelWriter{level: level}
	w.zw, _ = flate.NewWriter(w, level) // the level is in range, so that there is no error
	return w
}

// message appends payload, compressed with the context, to dst.
func (w *levelWriter) message(dst, payload []byte) []byte {
	w.out = dst
	// Write never fails, so that the writers to it do not.
	w.zw.Write(payload)
	w.zw.Flush()
	dst, w.out = bytes.TrimSuffix(w.out, []byte{0, 0, 0xFF, 0xFF}), nil
	return dst
}

func (w *levelWriter) Write(p []byte) (int, error) {
	w.out = append(w.out, p...)
	return len(p), nil
}

// release makes w available to others.
func (w *levelWriter) release() {
	levelWriters[w.level].Put(w)
}
