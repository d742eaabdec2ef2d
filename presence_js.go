//go:build js

package isosocket

import (
	"github.com/isosocket/isosocket/internal/jscall"
	"github.com/isosocket/isosocket/ws"
)

// newPresence listens to what tells that another attempt may fare better: the
// machine is online again, the page became visible, the page came back from the
// back/forward cache. Where there is no page or no events (a worker, Node), it
// listens to what there is.
func newPresence() presence {
	p := &pagePresence{woken: make(chan struct{}, 1)}
	global := jscall.Global()
	document, _ := global.Get("document")
	p.document = document
	p.listen(global, "online", func(jscall.Value) bool { return true })
	p.listen(global, "pageshow", func(event jscall.Value) bool { return truthy(event, "persisted") })
	p.listen(document, "visibilitychange", func(jscall.Value) bool { return !p.hidden() })
	return p
}

type pagePresence struct {
	document  jscall.Value
	woken     chan struct{}
	listeners []listener
}

type listener struct {
	target jscall.Value
	event  string
	f      jscall.Func
}

// listen makes event on target a wake if counts says so.
func (p *pagePresence) listen(target jscall.Value, event string, counts func(event jscall.Value) bool) {
	if !truthy(target, "addEventListener") {
		return
	}
	f, err := jscall.FuncOf(func(_ jscall.Value, args []jscall.Value) any {
		if len(args) == 1 && counts(args[0]) {
			select {
			case p.woken <- struct{}{}:
			default:
			}
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
	p.listeners = append(p.listeners, listener{target, event, f})
}

func (p *pagePresence) wake() <-chan struct{} { return p.woken }

// away is false where it is not known whether the page is hidden or online.
func (p *pagePresence) away() bool {
	if !p.hidden() {
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

func (p *pagePresence) hidden() bool { return truthy(p.document, "hidden") }

func (p *pagePresence) stop() {
	for _, l := range p.listeners {
		// Released even if the page does not let go of it: what is called then
		// does nothing but log.
		l.target.Call("removeEventListener", l.event, l.f.Value())
		l.f.Release()
	}
	p.listeners = nil
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

// probeOnReturn has conn's heartbeat look at once, when timers that were held
// may have kept it from finding that the link is gone.
func probeOnReturn(conn *ws.Conn) {
	go func() {
		p := newPresence()
		defer p.stop()
		for {
			select {
			case <-p.wake():
				conn.Probe()
			case <-conn.Done():
				return
			}
		}
	}()
}
