//go:build js

package browsersocket

import "github.com/isosocket/isosocket/internal/jscall"

const (
	// minPatience and maxPatience bound how many prompt wake-ups come before a
	// late one is tried.
	minPatience = 4
	maxPatience = 256
)

// wakeup tells Go that the queue is no longer empty, once each time that it is
// armed. A call into Go costs as much as dozens of messages that JavaScript
// handles alone, and browsers deliver each message in a task of its own. So
// while messages stream in, the wake-up is late: it lines up behind the tasks
// that wait already, and finds many messages. It is prompt where messages come
// one by one, and which of the two it is is found by trying.
type wakeup struct {
	c      chan struct{} // has room for one
	f      jscall.Func
	prompt jscall.Value // the listener that calls f
	behind jscall.Value // the listener that makes channel do so
	port   jscall.Value // the channel's receiving end, undefined until it is needed
	args   jscall.Value // of addEventListener; element 1 is the listener

	late     bool
	patience int
	count    int // prompt wake-ups since the last late one
}

// init returns the expression that arms the wake-up.
func (w *wakeup) init(js *builtins, socket jscall.Value, f func()) expression {
	w.c = make(chan struct{}, 1)
	w.patience = minPatience
	if js.err == nil {
		w.f, js.err = jscall.FuncOf(func(jscall.Value, []jscall.Value) any {
			f()
			return nil
		})
	}
	// A microtask is called without the event, whose way into Go would cost more
	// than the detour.
	w.prompt = js.call(js.get("queueMicrotask"), "bind", nil, w.f)
	w.args = js.list("message", w.prompt, map[string]any{"once": true})
	return js.apply(js.property(socket, "addEventListener"), socket, w.args)
}

// initLate makes the message channel. Its tasks run in turn with those that
// deliver WebSocket messages; those of timers would be held up in a page in
// the background.
func (w *wakeup) initLate() error {
	var js builtins
	channel := js.new("MessageChannel")
	w.port = js.property(channel, "port1")
	js.call(w.port, "addEventListener", "message", w.prompt)
	js.call(w.port, "start")
	other := js.property(channel, "port2")
	post := js.call(js.property(other, "postMessage"), "bind", other, nil)
	w.behind = js.call(js.get("queueMicrotask"), "bind", nil, post)
	return js.err
}

// adapt is told how many messages a wake-up found.
func (w *wakeup) adapt(found int) error {
	switch {
	case found > 1:
		w.patience, w.count = minPatience, 0
		return nil
	case w.late:
		w.patience, w.count = min(2*w.patience, maxPatience), 0
	default:
		if w.count++; w.count < w.patience {
			return nil
		}
	}
	w.late = !w.late
	if w.late && w.port.IsUndefined() {
		if err := w.initLate(); err != nil {
			return err
		}
	}
	listener := w.prompt
	if w.late {
		listener = w.behind
	}
	// The armed listener stays: it is the next but one that changes.
	return w.args.SetIndex(1, listener)
}

func (w *wakeup) notify() {
	select {
	case w.c <- struct{}{}:
	default:
	}
}

func (w *wakeup) release(socket jscall.Value) {
	if w.f.Value().IsUndefined() {
		return // never made
	}
	// What is still to be taken arms a wake-up, but for an event that never comes.
	_ = w.args.SetIndex(0, "")
	for _, listener := range []jscall.Value{w.prompt, w.behind} {
		_, _ = socket.Call("removeEventListener", "message", listener)
	}
	if !w.port.IsUndefined() {
		_, _ = w.port.Call("close")
	}
	w.f.Release()
}
