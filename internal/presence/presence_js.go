//go:build js

package presence

import (
	"time"

	"github.com/isosocket/isosocket/internal/jscall"
)

// Watcher listens to a page's events. In an environment without a page or without some
// of the events (a worker, Node), it listens to the events that exist.
type Watcher struct {
	document  jscall.Value
	returned  chan time.Time // holds the last one
	listeners []listener
}

type listener struct {
	target jscall.Value
	event  string
	f      jscall.Func
}

// Watch returns a Watcher that listens until Stop.
func Watch() *Watcher {
	w := &Watcher{returned: make(chan time.Time, 1)}
	global := jscall.Global()
	w.document, _ = global.Get("document")
	w.listen(global, "online", func(jscall.Value) bool { return true })
	w.listen(global, "pageshow", func(event jscall.Value) bool { return truthy(event, "persisted") })
	w.listen(w.document, "visibilitychange", func(jscall.Value) bool { return !w.hidden() })
	return w
}

// listen makes each event on target for which counts returns true a return.
func (w *Watcher) listen(target jscall.Value, event string, counts func(event jscall.Value) bool) {
	if !truthy(target, "addEventListener") {
		return
	}
	f, err := jscall.FuncOf(func(_ jscall.Value, args []jscall.Value) any {
		if len(args) == 1 && counts(args[0]) {
			w.note()
		}
		return nil
	})
	if err != nil {
		return
	}
	if _, err := target.Call("addEventListener", event, f.Value()); err != nil {
		f.Release()
		return
	}
	w.listeners = append(w.listeners, listener{target, event, f})
}

// note records a return, and replaces one that has not been received yet.
func (w *Watcher) note() {
	select {
	case <-w.returned:
	default:
	}
	w.returned <- time.Now()
}

// Returned delivers the time when the machine came online or the user came back
// to the page. It holds the last of these times until it is received.
func (w *Watcher) Returned() <-chan time.Time { return w.returned }

// Away reports whether the machine is offline and the page hidden, and false
// if that is unknown.
func (w *Watcher) Away() bool {
	if !w.hidden() {
		return false
	}
	navigator, err := jscall.Global().Get("navigator")
	if err != nil || navigator.IsUndefined() {
		return false
	}
	online, err := navigator.Get("onLine")
	if err != nil || online.Type() != jscall.TypeBoolean {
		return false
	}
	on, err := online.Bool()
	return err == nil && !on
}

func (w *Watcher) hidden() bool { return truthy(w.document, "hidden") }

// Stop ends listening.
func (w *Watcher) Stop() {
	for _, l := range w.listeners {
		// Release even if the page keeps l.f: a call then only writes to the console.
		l.target.Call("removeEventListener", l.event, l.f.Value())
		l.f.Release()
	}
	w.listeners = nil
}

func truthy(object jscall.Value, property string) bool {
	if object.IsUndefined() || object.IsNull() {
		return false
	}
	value, err := object.Get(property)
	if err != nil {
		return false
	}
	t, err := value.Truthy()
	return err == nil && t
}
