//go:build !js

package server

import "sync"

// maxOriginLog limits how many origins an endpoint remembers and logs: a client
// could send a new origin with every request.
const maxOriginLog = 100

// originLog remembers which refused origins were logged. The zero value
// remembers none.
type originLog struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

// first reports whether origin must be logged. Each origin is logged once.
func (l *originLog) first(origin string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.seen[origin]; ok || len(l.seen) >= maxOriginLog || len(origin) > 1000 {
		return false
	}
	if l.seen == nil {
		l.seen = make(map[string]struct{})
	}
	l.seen[origin] = struct{}{}
	return true
}
