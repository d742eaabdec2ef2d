//go:build js

package presence

import (
	"time"

	"github.com/isosocket/isosocket/internal/jscall"
)

// Watcher listens to a page's events. Where there is no page or there are no
// events (a worker, Node), it listens to what there is.
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

// listen makes event on target a return if counts says so.
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

// note replaces what nobody has received yet.
func (w *Watcher) note() {
	select {
	case <-w.returned:
	default:
	}
	w.returned <- time.Now()
}

// Returned delivers the time when the machine came online or the user came back
// to the page. It holds the last such time until somebody receives it.
func (w *Watcher) Returned() <-chan time.Time { return w.returned }

// Away reports whether the machine is offline and the page hidden, and false
// where that is not known.
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
		// Released even if the page keeps it: a call then only writes to the console.
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
