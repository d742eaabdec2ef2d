//go:build !js

package main

import (
	"fmt"
	"sync"
)

// mostProblems is how many problems are kept. The others are counted.
const mostProblems = 20

// problems are what a process found wrong. It may be used by many goroutines.
type problems struct {
	mu    sync.Mutex
	count int
	texts []string
}

// add adds a problem of a client.
func (p *problems) add(kind string, client uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count++
	if len(p.texts) < mostProblems {
		p.texts = append(p.texts, fmt.Sprintf("%s client %d: %v", kind, client, err))
	}
}

// list returns how many problems there are, and the first of them.
func (p *problems) list() (int, []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, append([]string(nil), p.texts...)
}
