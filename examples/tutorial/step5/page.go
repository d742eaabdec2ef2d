//go:build js

package main

import (
	"strings"
	"syscall/js"
)

// page is the canvas of this page, and what its user draws.
type page struct {
	document, status, canvas, context js.Value
	strokes                           chan Stroke
}

func openPage() *page {
	document := js.Global().Get("document")
	canvas := document.Call("getElementById", "board")
	p := &page{
		document: document,
		status:   document.Call("getElementById", "status"),
		canvas:   canvas,
		context:  canvas.Call("getContext", "2d"),
		strokes:  make(chan Stroke, 256),
	}
	var x, y int
	p.on("pointerdown", func(event js.Value) {
		x, y = event.Get("offsetX").Int(), event.Get("offsetY").Int()
	})
	p.on("pointermove", func(event js.Value) {
		if event.Get("buttons").Int() == 0 {
			return
		}
		s := Stroke{X1: x, Y1: y, X2: event.Get("offsetX").Int(), Y2: event.Get("offsetY").Int(), Color: p.color()}
		x, y = s.X2, s.Y2
		p.draw(s)
		// A callback of JavaScript must not wait, so another goroutine sends the stroke.
		select {
		case p.strokes <- s:
		default: // the link is too slow for this stroke
		}
	})
	return p
}

func (p *page) on(event string, do func(js.Value)) {
	p.canvas.Call("addEventListener", event, js.FuncOf(func(_ js.Value, args []js.Value) any {
		do(args[0])
		return nil
	}))
}

func (p *page) show(text string) { p.status.Set("textContent", text) }

func (p *page) draw(s Stroke) {
	p.context.Set("strokeStyle", s.Color)
	p.context.Set("lineWidth", 3)
	p.context.Call("beginPath")
	p.context.Call("moveTo", s.X1, s.Y1)
	p.context.Call("lineTo", s.X2, s.Y2)
	p.context.Call("stroke")
}

func (p *page) clear() {
	p.context.Call("clearRect", 0, 0, p.canvas.Get("width"), p.canvas.Get("height"))
}

// color is the one that the user has chosen.
func (p *page) color() string {
	return p.document.Call("getElementById", "color").Get("value").String()
}

func (p *page) showUsers(names []string) {
	p.document.Call("getElementById", "users").Set("textContent", strings.Join(names, ", "))
}

// askForName shows the form, which loads the page again.
func (p *page) askForName() {
	p.show("Please sign in.")
	p.document.Call("getElementById", "signin").Set("hidden", false)
}
