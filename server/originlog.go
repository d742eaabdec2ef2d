//go:build !js

package server

import "sync"

// maxOriginLog bounds what a stranger who names ever new origins can make an
// endpoint remember and log.
const maxOriginLog = 100

// originLog remembers which refused origins were logged. The zero value
// remembers none.
type originLog struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

// first reports whether origin is to be logged, which it is once.
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
