//go:build js

package jscall

import (
	"bytes"
	"errors"
	"strings"
	"syscall/js"
	"testing"
)

// must fails t unless err is nil, and returns v.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// global returns a property of the global object.
func global(t *testing.T, name string) Value {
	t.Helper()
	return must[Value](t)(Global().Get(name))
}

// throws returns an object whose method throwIfAborted throws reason.
func throws(t *testing.T, reason any) Value {
	t.Helper()
	return must[Value](t)(global(t, "AbortSignal").Call("abort", reason))
}

// Every panic of syscall/js becomes an error with a text, even if JavaScript threw a
// value without one.
func TestPanicsAreErrors(t *testing.T) {
	object := must[Value](t)(global(t, "Object").New())
	for _, c := range []struct {
		name string
		call func() error
		text string
	}{
		{"exception", func() error { _, err := global(t, "Array").New(-1); return err }, "JavaScript error: Invalid array length"},
		{"a string thrown", func() error { _, err := throws(t, "why").Call("throwIfAborted"); return err }, "JavaScript error: why"},
		{"null thrown", func() error { _, err := throws(t, nil).Call("throwIfAborted"); return err }, "JavaScript error: <null>"},
		{"Get of undefined", func() error { _, err := Undefined().Get("x"); return err }, "Value.Get on undefined"},
		{"Set of undefined", func() error { return Undefined().Set("x", 1) }, "Value.Set on undefined"},
		{"Length of undefined", func() error { _, err := Undefined().Length(); return err }, "on undefined"},
		{"Call of nothing", func() error { _, err := object.Call("x"); return err }, "property x is not a function"},
		{"Invoke of an object", func() error { _, err := object.Invoke(); return err }, "Value.Invoke on object"},
		{"New of an object", func() error { _, err := object.New(); return err }, "on object"},
		{"Bool of an object", func() error { _, err := object.Bool(); return err }, "Value.Bool on object"},
		{"Int of an object", func() error { _, err := object.Int(); return err }, "Value.Int on object"},
		{"no JavaScript value", func() error { return object.Set("x", struct{}{}) }, "invalid value"},
		{"no bytes to read", func() error { _, err := CopyBytesToGo(nil, object); return err }, "Uint8Array"},
		{"no bytes to write", func() error { _, err := CopyBytesToJS(object, nil); return err }, "Uint8Array"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.call(); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("the error is %v; it should contain %q", err, c.text)
			}
		})
	}
}

// A program that uses syscall/js can unwrap the thrown value.
func TestExceptionUnwraps(t *testing.T) {
	_, err := global(t, "Array").New(-1)
	var thrown js.Error
	if !errors.As(err, &thrown) || thrown.Get("name").String() != "RangeError" {
		t.Errorf("there is no RangeError in %#v", err)
	}
}

func TestErrorName(t *testing.T) {
	_, err := global(t, "Array").New(-1)
	if name := ErrorName(err); name != "RangeError" {
		t.Errorf("the name of %v is %q", err, name)
	}
	for _, thrown := range []any{"RangeError", nil, map[string]any{"name": 1}} {
		_, err := throws(t, thrown).Call("throwIfAborted")
		if name := ErrorName(err); err == nil || name != "" {
			t.Errorf("the name of %v is %q, want none", err, name)
		}
	}
	if name := ErrorName(errors.New("RangeError")); name != "" {
		t.Errorf("the name of Go's error is %q", name)
	}
}

func TestValues(t *testing.T) {
	array := must[Value](t)(global(t, "Array").Call("of", "a", 1.5, true, nil, global(t, "Math")))
	if n := must[int](t)(array.Length()); n != 5 {
		t.Errorf("the length is %d", n)
	}
	if err := array.Set("0", "b"); err != nil {
		t.Error(err)
	}
	element := func(i string) Value { return must[Value](t)(array.Get(i)) }
	if v := element("0"); v.Type() != TypeString || must[string](t)(v.String()) != "b" {
		t.Errorf("the string is %v", v)
	}
	if v := element("1"); must[int](t)(v.Int()) != 1 || !must[bool](t)(v.Truthy()) {
		t.Errorf("the number is %v", v)
	}
	if v := element("2"); v.Type() != TypeBoolean || !must[bool](t)(v.Bool()) {
		t.Errorf("the boolean is %v", v)
	}
	if v := element("3"); !v.IsNull() || v.IsUndefined() || must[bool](t)(v.Truthy()) {
		t.Errorf("null is %v", v)
	}
	if v := element("4"); v.IsNull() || must[string](t)(v.String()) != "<object>" {
		t.Errorf("the object is %v", v)
	}
	if !element("5").IsUndefined() || !Undefined().IsUndefined() || !(Value{}).IsUndefined() || !(Func{}).Value().IsUndefined() {
		t.Error("undefined is something else")
	}
}

// Values and functions cross as arguments, as elements of a map, and as results.
func TestFunc(t *testing.T) {
	math := global(t, "Math")
	var this Value
	var args []Value
	f := must[Func](t)(FuncOf(func(self Value, all []Value) any {
		this, args = self, all
		return map[string]any{"math": math}
	}))
	defer f.Release()
	if f.Value().Type() != TypeFunction {
		t.Errorf("its type is %v", f.Value().Type())
	}
	holder := must[Value](t)(global(t, "Object").New())
	if err := holder.Set("f", f); err != nil {
		t.Fatal(err)
	}
	result := must[Value](t)(holder.Call("f", 7, math, map[string]any{"f": f, "name": "x"}))
	same := func(a, b Value) bool {
		return must[bool](t)(must[Value](t)(global(t, "Object").Call("is", a, b)).Bool())
	}
	if !same(this, holder) {
		t.Error("this is something else")
	}
	if !same(must[Value](t)(result.Get("math")), math) {
		t.Error("the result is something else")
	}
	if len(args) != 3 || must[int](t)(args[0].Int()) != 7 || !same(args[1], math) ||
		!same(must[Value](t)(args[2].Get("f")), f.Value()) || must[string](t)(must[Value](t)(args[2].Get("name")).String()) != "x" {
		t.Errorf("the arguments are %v", args)
	}
	if must[Value](t)(f.Value().Invoke()); len(args) != 0 {
		t.Errorf("there are arguments: %v", args)
	}
}

func TestCopyBytes(t *testing.T) {
	array := must[Value](t)(global(t, "Uint8Array").New(4))
	if n := must[int](t)(CopyBytesToJS(array, []byte("abcdef"))); n != 4 {
		t.Errorf("%d bytes were copied to JavaScript", n)
	}
	data := make([]byte, 8)
	if n := must[int](t)(CopyBytesToGo(data, array)); n != 4 || !bytes.Equal(data, []byte("abcd\x00\x00\x00\x00")) {
		t.Errorf("%d bytes were copied to Go: %q", n, data)
	}
}

// The first error stays, and nothing is done after it.
func TestBuiltinsKeepTheFirstError(t *testing.T) {
	var b Builtins
	list := b.List(1, 2)
	b.Set(list, "more", b.Get("Math", "PI"))
	push := b.Method(list, "push")
	b.Invoke(push, b.New("Object"))
	if n := must[int](t)(list.Length()); n != 3 || b.Err != nil {
		t.Fatalf("the list has %d elements, %v", n, b.Err)
	}
	if more := must[Value](t)(list.Get("more")); more.Type() != TypeNumber {
		t.Errorf("more is of type %v", more.Type())
	}
	b.Construct(b.Get("Array"), -1)
	first := b.Err
	if first == nil {
		t.Fatal("an array of -1 elements is no error")
	}
	b.Call(list, "push", 4)
	b.Invoke(push, 4)
	b.Get("nothing", "of", "this")
	if n := must[int](t)(list.Length()); n != 3 || b.Err != first {
		t.Errorf("then the list has %d elements, %v", n, b.Err)
	}
}
