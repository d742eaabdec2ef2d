//go:build js

package jscall

import (
	"errors"
	"syscall/js"
)

// catch, when deferred, turns a panic of a syscall/js call into an error.
func catch(err *error) {
	switch cause := recover().(type) {
	case nil:
	case js.Error:
		*err = &exception{cause}
	case error:
		*err = cause
	case string:
		*err = errors.New(cause)
	default: // syscall/js panics with no other type
		panic(cause)
	}
}

// exception is a value that JavaScript threw.
type exception struct{ cause js.Error }

// Error returns the text of [js.Error] where that does not panic: JavaScript may throw
// any value, not only objects.
func (e *exception) Error() string {
	switch e.cause.Type() {
	case js.TypeObject, js.TypeFunction:
		return e.cause.Error()
	}
	return "JavaScript error: " + e.cause.Value.String()
}

func (e *exception) Unwrap() error { return e.cause }

// ErrorName returns the name of the Error or DOMException that JavaScript threw,
// such as "SecurityError", and "" for any other error.
func ErrorName(err error) string {
	e, ok := errors.AsType[*exception](err)
	if !ok {
		return ""
	}
	name, err := Value{e.cause.Value}.Get("name")
	if err != nil || name.Type() != TypeString {
		return ""
	}
	s, _ := name.String()
	return s
}
