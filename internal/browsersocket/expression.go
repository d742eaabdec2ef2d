//go:build js

package browsersocket

import (
	"strconv"

	"github.com/isosocket/isosocket/internal/jscall"
)

// expression is a JavaScript function of no arguments that is put together
// from built-in functions, without a line of JavaScript. It does the work of
// many calls from Go at the price of one, and it needs no eval, so that every
// Content-Security-Policy allows it.
type expression struct{ jscall.Value }

// builtins finds and combines built-in functions. It keeps the first error,
// behind which it does nothing. Its methods serve the setting up of a
// connection, and are not inlined there, for a smaller client.
type builtins struct {
	err    error
	found  map[string]jscall.Value
	getter jscall.Value // a property descriptor, used over and over
}

// get returns the property at the end of path, from the global object on.
//
//go:noinline
func (b *builtins) get(path ...string) jscall.Value {
	if b.found == nil {
		b.found = make(map[string]jscall.Value)
	}
	v, key := jscall.Global(), ""
	for _, name := range path {
		key += "." + name
		next, ok := b.found[key]
		if !ok {
			next = b.property(v, name)
			b.found[key] = next
		}
		v = next
	}
	return v
}

//go:noinline
func (b *builtins) property(v jscall.Value, name string) (p jscall.Value) {
	if b.err == nil {
		p, b.err = v.Get(name)
	}
	return p
}

//go:noinline
func (b *builtins) call(v jscall.Value, method string, args ...any) (result jscall.Value) {
	if b.err == nil {
		result, b.err = v.Call(method, args...)
	}
	return result
}

// new returns a new object of a class of the global object's.
//
//go:noinline
func (b *builtins) new(class string, args ...any) (v jscall.Value) {
	if constructor := b.get(class); b.err == nil {
		v, b.err = constructor.New(args...)
	}
	return v
}

// method returns v's method with v bound as its this.
//
//go:noinline
func (b *builtins) method(v jscall.Value, name string) jscall.Value {
	return b.call(b.property(v, name), "bind", v)
}

//go:noinline
func (b *builtins) invoke(f jscall.Value, args ...any) (result jscall.Value) {
	if b.err == nil {
		result, b.err = f.Invoke(args...)
	}
	return result
}

//go:noinline
func (b *builtins) int(v jscall.Value) (n int) {
	if b.err == nil {
		n, b.err = v.Int()
	}
	return n
}

// list returns an array of elements. An expression among them is evaluated
// each time that its element is read.
//
//go:noinline
func (b *builtins) list(elements ...any) jscall.Value {
	values := make([]any, len(elements))
	for i, e := range elements {
		if _, ok := e.(expression); !ok {
			values[i] = e
		}
	}
	list := b.call(b.get("Array"), "of", values...)
	for i, e := range elements {
		if e, ok := e.(expression); ok {
			if b.getter.IsUndefined() {
				b.getter = b.new("Object")
			}
			b.set(b.getter, "get", e.Value)
			b.invoke(b.get("Object", "defineProperty"), list, strconv.Itoa(i), b.getter)
		}
	}
	return list
}

//go:noinline
func (b *builtins) set(v jscall.Value, name string, value any) {
	if b.err == nil {
		b.err = v.Set(name, value)
	}
}

// expression returns the expression f.apply(this, args). Expressions among
// args are evaluated in order before; those that f has no parameter for, for
// their effect.
//
//go:noinline
func (b *builtins) expression(f jscall.Value, this any, args ...any) expression {
	return b.apply(f, this, b.list(args...))
}

// apply is expression with a list of arguments, which may be an expression
// itself.
//
//go:noinline
func (b *builtins) apply(f jscall.Value, this, list any) expression {
	apply := b.get("Reflect", "apply")
	if e, ok := list.(expression); ok {
		f, this, list = apply, nil, b.list(f, this, e)
	}
	return expression{b.call(apply, "bind", nil, f, this, list)}
}
