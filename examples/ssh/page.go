//go:build js

package main

import (
	"strings"
	"syscall/js"
)

// page is a form that asks for name and password, and a screen.
type page struct {
	document, status, form, screen js.Value
	text                           []rune // on the screen
	keys                           chan string
	submitted                      chan struct{}
}

func openPage() *page {
	document := js.Global().Get("document")
	element := func(id string) js.Value { return document.Call("getElementById", id) }
	p := &page{
		document: document, status: element("status"), form: element("form"), screen: element("screen"),
		keys: make(chan string, 64), submitted: make(chan struct{}, 1),
	}
	on(p.form, "submit", func(event js.Value) {
		event.Call("preventDefault")
		select {
		case p.submitted <- struct{}{}:
		default:
		}
	})
	on(p.screen, "keydown", func(event js.Value) {
		keys := event.Get("key").String()
		switch {
		case keys == "Enter":
			keys = "\r"
		case keys == "Backspace":
			keys = "\x7f"
		case len(keys) > 1 || event.Get("ctrlKey").Bool() || event.Get("metaKey").Bool():
			return
		}
		event.Call("preventDefault")
		select {
		case p.keys <- keys:
		default: // the server does not keep up
		}
	})
	return p
}

func on(target js.Value, event string, do func(js.Value)) {
	target.Call("addEventListener", event, js.FuncOf(func(_ js.Value, args []js.Value) any {
		do(args[0])
		return nil
	}))
}

// askForPassword shows the form and waits until it is sent.
func (p *page) askForPassword() (name, password string) {
	p.form.Set("hidden", false)
	<-p.submitted
	p.form.Set("hidden", true)
	value := func(id string) string { return p.document.Call("getElementById", id).Get("value").String() }
	p.text = p.text[:0]
	p.draw()
	p.screen.Call("focus")
	return value("name"), value("password")
}

func (p *page) show(text string) { p.status.Set("textContent", text) }

// Write writes to the screen, as a terminal that knows new lines and how to delete one character.
func (p *page) Write(data []byte) (int, error) {
	for _, r := range strings.ReplaceAll(strings.ReplaceAll(string(data), "\b \b", "\b"), "\r\n", "\n") {
		if r == '\b' {
			p.text = p.text[:max(len(p.text)-1, 0)]
		} else {
			p.text = append(p.text, r)
		}
	}
	p.draw()
	return len(data), nil
}

func (p *page) draw() {
	p.screen.Set("textContent", string(p.text))
	p.screen.Set("scrollTop", p.screen.Get("scrollHeight"))
}
