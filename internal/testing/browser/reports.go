//go:build !js

package browser

import "sync"

// report is one message from the page or process in which a wasm test binary runs.
type report struct {
	Type  string `json:"type"`
	Text  string `json:"text"`  // of output, error and console; the name of a file
	Data  []byte `json:"data"`  // of a file; base64 on the wire
	Code  int    `json:"code"`  // of exit
	Level string `json:"level"` // of console: "log", "error", …
}

// The types of reports.
const (
	reportOutput  = "output"  // the binary wrote Text
	reportConsole = "console" // something wrote Text to a worker's console
	reportFile    = "file"    // the binary left a file
	reportExit    = "exit"    // the binary exited with Code
	reportError   = "error"   // the binary cannot run or continue
)

// reports is an unbounded queue. Adding to it never blocks, because the loop that reads the
// browser's messages must not wait.
type reports struct {
	ready chan struct{} // holds a token while the queue may not be empty

	mu    sync.Mutex
	queue []report
}

func newReports() *reports {
	return &reports{ready: make(chan struct{}, 1)}
}

func (r *reports) add(one report) {
	r.mu.Lock()
	r.queue = append(r.queue, one)
	r.mu.Unlock()
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// take returns the reports since the last take. The caller owns the slice.
func (r *reports) take() []report {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue := r.queue
	r.queue = nil
	return queue
}
