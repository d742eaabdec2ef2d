package transcript

import (
	"bytes"
	"sync"
)

// Transcript is an [io.Writer] that keeps all output. All methods may be called from many
// goroutines.
type Transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

// New returns an empty Transcript.
func New() *Transcript { return &Transcript{more: make(chan struct{})} }

// Write appends p. It never fails.
func (t *Transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.more)
	t.more = make(chan struct{})
	return t.text.Write(p)
}

// Read returns the output so far, and a channel that the next Write closes.
func (t *Transcript) Read() (text string, more <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String(), t.more
}

// String returns the output so far.
func (t *Transcript) String() string {
	text, _ := t.Read()
	return text
}
