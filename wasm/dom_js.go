//go:build js

package main

import (
	"github.com/hack-pad/safejs"
)

// document is the page's document. Its methods report the first JavaScript exception to the
// console instead of returning it: an exception is a defect of the page, and must not end the
// connection.
type document struct {
	value    safejs.Value
	elements map[string]element // by id
}

func newDocument() (*document, error) {
	value, err := safejs.Global().Get("document")
	if err != nil {
		return nil, err
	}
	return &document{value: value, elements: map[string]element{}}, nil
}

// element is an element of the page.
type element struct{ value safejs.Value }

// report writes err, if there is one, to the browser's console.
func report(err error) {
	if err == nil {
		return
	}
	if console, e := safejs.Global().Get("console"); e == nil {
		_, _ = console.Call("error", "isosocket: "+err.Error())
	}
}

// byID returns the element with an id of index.html.
func (d *document) byID(id string) element {
	if e, ok := d.elements[id]; ok {
		return e
	}
	value, err := d.value.Call("getElementById", id)
	report(err)
	e := element{value}
	d.elements[id] = e
	return e
}

// create returns a new element with a class and a text, each of which may be "".
func (d *document) create(tag, class, text string) element {
	value, err := d.value.Call("createElement", tag)
	report(err)
	e := element{value}
	if class != "" {
		e.set("className", class)
	}
	if text != "" {
		e.set("textContent", text)
	}
	return e
}

// set sets a property.
func (e element) set(property string, to any) { report(e.value.Set(property, to)) }

// attribute sets an attribute.
func (e element) attribute(name, to string) {
	_, err := e.value.Call("setAttribute", name, to)
	report(err)
}

// show makes the element visible or not.
func (e element) show(visible bool) { e.set("hidden", !visible) }

// append adds children after the last one.
func (e element) append(children ...element) {
	for _, child := range children {
		_, err := e.value.Call("appendChild", child.value)
		report(err)
	}
}

// replace replaces all children with children.
func (e element) replace(children ...element) {
	values := make([]any, len(children))
	for i, child := range children {
		values[i] = child.value
	}
	_, err := e.value.Call("replaceChildren", values...)
	report(err)
}

// text returns a property that is a string.
func (e element) text(property string) string {
	value, err := e.value.Get(property)
	report(err)
	if err != nil || value.Type() != safejs.TypeString {
		return ""
	}
	s, err := value.String()
	report(err)
	return s
}

// number returns a property that is a number.
func (e element) number(property string) float64 {
	value, err := e.value.Get(property)
	if err == nil {
		var n float64
		if n, err = value.Float(); err == nil {
			return n
		}
	}
	report(err)
	return 0
}

// isTrue returns a property that is true or false.
func (e element) isTrue(property string) bool {
	value, err := e.value.Get(property)
	if err == nil {
		var b bool
		if b, err = value.Bool(); err == nil {
			return b
		}
	}
	report(err)
	return false
}

// call calls a method that needs no argument.
func (e element) call(method string) {
	_, err := e.value.Call(method)
	report(err)
}

// on calls f for each event of a kind, and prevents the browser's default action. f must not
// wait. The listener is never removed.
func (e element) on(event string, f func()) {
	listener, err := safejs.FuncOf(func(_ safejs.Value, args []safejs.Value) any {
		if len(args) > 0 {
			_, err := args[0].Call("preventDefault")
			report(err)
		}
		f()
		return nil
	})
	if err == nil {
		_, err = e.value.Call("addEventListener", event, listener.Value())
	}
	report(err)
}
