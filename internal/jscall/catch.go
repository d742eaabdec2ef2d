//go:build js

package jscall

import (
	"errors"
	"syscall/js"
)

// catch, deferred, makes an error of what a call of syscall/js panicked with.
func catch(err *error) {
	switch cause := recover().(type) {
	case nil:
	case js.Error:
		*err = &exception{cause}
	case error:
		*err = cause
	case string:
		*err = errors.New(cause)
	default: // syscall/js has no such one
		panic(cause)
	}
}

// exception is what JavaScript threw.
type exception struct{ cause js.Error }

// Error is [js.Error]'s where that does not panic: JavaScript may throw
// anything, an object or not.
func (e *exception) Error() string {
	switch e.cause.Type() {
	case js.TypeObject, js.TypeFunction:
		return e.cause.Error()
	}
	return "JavaScript error: " + e.cause.Value.String()
}

func (e *exception) Unwrap() error { return e.cause }

// ErrorName returns the name of the Error or DOMException that JavaScript threw,
// such as "SecurityError", and "" of any other error.
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
