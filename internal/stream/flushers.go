package stream

import (
	"runtime"
	"sync"
)

// Flushers write the output that broadcasts defer, for all connections that share them.
// The zero value is ready to use, and is safe for concurrent use.
//
// There are as many goroutines as processors, or one fewer while broadcasts still add
// output. The sender of broadcasts then stays ahead of the writes, and the output of several
// broadcasts to a connection becomes one write. With a goroutine for each connection, the
// sender would wait for thousands of goroutines each time it is preempted.
type Flushers struct {
	mu         sync.Mutex
	queue      []*writer // queue[head:] have output to write; no duplicates
	head       int
	added      bool   // since the last take
	working    int    // goroutines
	processors int    // as of when the first of them was started
	run        func() // work; made once, so that starting it allocates nothing
}

// flushAtOnce is how many connections a goroutine takes at a time.
const flushAtOnce = 16

// add arranges for a call of w.flushDeferred soon.
func (f *Flushers) add(w *writer) {
	f.mu.Lock()
	f.queue = append(f.queue, w)
	f.added = true
	if f.working == 0 {
		f.processors = runtime.GOMAXPROCS(0)
	}
	if f.run == nil {
		f.run = f.work
	}
	start := f.working == 0 || f.working < f.processors-1
	if start {
		f.working++
	}
	f.mu.Unlock()
	if start {
		go f.run()
	}
}

func (f *Flushers) work() {
	var taken [flushAtOnce]*writer
	for {
		n, help := f.take(taken[:])
		if n == 0 {
			return
		}
		if help {
			go f.run()
		}
		for _, w := range taken[:n] {
			w.flushDeferred()
		}
	}
}

// take moves connections from the queue to to, and reports whether to start one more
// goroutine. If n is 0, the calling goroutine must return.
func (f *Flushers) take(to []*writer) (n int, help bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = copy(to, f.queue[f.head:])
	f.head += n
	if f.head >= len(f.queue)/2 {
		rest := copy(f.queue, f.queue[f.head:])
		clear(f.queue[rest:])
		f.queue, f.head = f.queue[:rest], 0
	}
	if n == 0 {
		f.working--
		return 0, false
	}
	help = !f.added && f.working < f.processors && f.head < len(f.queue)
	if help {
		f.working++
	}
	f.added = false
	return n, help
}
