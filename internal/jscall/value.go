//go:build js

package jscall

import "syscall/js"

// Value is a JavaScript value. The zero Value is undefined.
type Value struct{ js js.Value }

// Type is the JavaScript type of a Value.
type Type = js.Type

// The types that callers compare with.
const (
	TypeBoolean  = js.TypeBoolean
	TypeFunction = js.TypeFunction
	TypeNumber   = js.TypeNumber
	TypeString   = js.TypeString
)

// Global returns the JavaScript global object, which in a page is the window.
func Global() Value { return Value{js.Global()} }

// Undefined returns the JavaScript value undefined.
func Undefined() Value { return Value{} }

// Type returns the type of v. The type of null is not that of an object.
func (v Value) Type() Type { return v.js.Type() }

// IsUndefined reports whether v is undefined.
func (v Value) IsUndefined() bool { return v.js.IsUndefined() }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.js.IsNull() }

// Get returns the property of v, which has to be an object.
func (v Value) Get(property string) (result Value, err error) {
	defer catch(&err)
	return Value{v.js.Get(property)}, nil
}

// Set sets the property of v, which has to be an object. x is a Value, a Func, or
// anything that [js.ValueOf] takes, as are the arguments of the methods below.
func (v Value) Set(property string, x any) (err error) {
	defer catch(&err)
	v.js.Set(property, plain(x))
	return nil
}

// Length returns the property length of v, which has to be an array or a
// string.
func (v Value) Length() (n int, err error) {
	defer catch(&err)
	return v.js.Length(), nil
}

// Call calls a method of v. It may write to args.
func (v Value) Call(method string, args ...any) (result Value, err error) {
	defer catch(&err)
	return Value{v.js.Call(method, plainAll(args)...)}, nil
}

// Invoke calls v, which has to be a function. It may write to args.
func (v Value) Invoke(args ...any) (result Value, err error) {
	defer catch(&err)
	return Value{v.js.Invoke(plainAll(args)...)}, nil
}

// New returns a new object of v, which has to be a class. It may write to args.
func (v Value) New(args ...any) (result Value, err error) {
	defer catch(&err)
	return Value{v.js.New(plainAll(args)...)}, nil
}

// Bool returns v, which has to be a boolean.
func (v Value) Bool() (b bool, err error) {
	defer catch(&err)
	return v.js.Bool(), nil
}

// Int returns v, which has to be a number, without its fraction.
func (v Value) Int() (n int, err error) {
	defer catch(&err)
	return v.js.Int(), nil
}

// String returns v if it is a string, and "<T>" or "<T: V>" if it is of
// another type T.
func (v Value) String() (s string, err error) {
	defer catch(&err)
	return v.js.String(), nil
}

// Truthy reports whether v is truthy in JavaScript.
func (v Value) Truthy() (b bool, err error) {
	defer catch(&err)
	return v.js.Truthy(), nil
}

// CopyBytesToGo copies src, which has to be a Uint8Array, to dst and returns
// the number of bytes copied.
func CopyBytesToGo(dst []byte, src Value) (n int, err error) {
	defer catch(&err)
	return js.CopyBytesToGo(dst, src.js), nil
}

// CopyBytesToJS copies src to dst, which has to be a Uint8Array, and returns
// the number of bytes copied.
func CopyBytesToJS(dst Value, src []byte) (n int, err error) {
	defer catch(&err)
	return js.CopyBytesToJS(dst.js, src), nil
}

// plainAll replaces the elements of args by values that syscall/js accepts.
func plainAll(args []any) []any {
	for i, x := range args {
		args[i] = plain(x)
	}
	return args
}

// plain returns x in the form that syscall/js accepts.
func plain(x any) any {
	switch x := x.(type) {
	case Value:
		return x.js
	case Func:
		return x.f
	case map[string]any:
		object := make(map[string]any, len(x))
		for name, member := range x {
			object[name] = plain(member)
		}
		return object
	}
	return x
}
