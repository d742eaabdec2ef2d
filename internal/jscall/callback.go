//go:build js

package jscall

import "runtime"

// InCallback reports whether the calling goroutine is in a Go function that
// JavaScript has called. JavaScript is blocked until that function returns. The function
// cannot wait for anything that the browser does, because no event arrives.
//
// It looks for syscall/js.handleEvent, which calls every such function, on the
// goroutine's stack, in about two microseconds.
func InCallback() bool {
	var calls [16]uintptr
	for skip := 2; ; skip += len(calls) {
		n := runtime.Callers(skip, calls[:])
		for _, pc := range calls[:n] {
			// pc is the address after the call.
			if f := runtime.FuncForPC(pc - 1); f != nil && f.Name() == "syscall/js.handleEvent" {
				return true
			}
		}
		if n < len(calls) {
			return false
		}
	}
}
