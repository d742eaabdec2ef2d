//go:build js

package jscall

import "syscall/js"

// Func is a Go function that JavaScript can call. The zero Func is no
// function, and its Value is undefined.
type Func struct{ f js.Func }

// FuncOf returns a Func that calls f with JavaScript's this and the arguments.
// JavaScript runs nothing else until f returns. The Func stays alive until its Release.
func FuncOf(f func(this Value, args []Value) any) (result Func, err error) {
	defer catch(&err)
	return Func{js.FuncOf(func(this js.Value, args []js.Value) any {
		values := make([]Value, len(args))
		for i, a := range args {
			values[i] = Value{a}
		}
		return plain(f(Value{this}, values))
	})}, nil
}

// Value returns the JavaScript function.
func (f Func) Value() Value { return Value{f.f.Value} }

// Release frees f. JavaScript must not call it any more.
func (f Func) Release() { f.f.Release() }
