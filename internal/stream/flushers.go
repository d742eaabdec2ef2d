package stream

import (
	"runtime"
	"sync"
)

// Flushers write what broadcasts leave, for all connections that share them.
// The zero value is ready for use, by many goroutines.
//
// There are as many goroutines as processors, but for one while something is
// still being left: a sender of broadcasts then gets ahead of the writes, and
// what several of them leave for a connection becomes one. A goroutine for each
// connection would let the sender wait for thousands whenever it has had the
// processor for long.
type Flushers struct {
	mu         sync.Mutex
	queue      []*writer // queue[head:] have output to write, each once
	head       int
	added      bool   // since something was last taken
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

// take moves connections from the queue to to, and reports whether one more
// goroutine is to work. With none left, the one that asks has to go.
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
