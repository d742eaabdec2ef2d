//go:build !js

package server

import "sync"

// maxAdviceLog limits how much advice an endpoint remembers and logs: a client
// could send a new origin with every request.
const maxAdviceLog = 100

// adviceLog remembers which advice was logged. The zero value remembers none.
type adviceLog struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

// first reports whether advice must be logged. The same advice is logged once.
func (l *adviceLog) first(advice string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.seen[advice]; ok || len(l.seen) >= maxAdviceLog || len(advice) > 1000 {
		return false
	}
	if l.seen == nil {
		l.seen = make(map[string]struct{})
	}
	l.seen[advice] = struct{}{}
	return true
}
