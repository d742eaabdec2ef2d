// Package leak finds goroutines and, in a browser, callbacks that remain after tests.
//
// A closed connection must not have goroutines or callbacks that JavaScript can still call.
// Every package of this module whose code starts goroutines ends its test run with [Main]:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
//
// A single test calls [Check] at its start. Check names the test that leaked, while Main can
// only name the goroutine:
//
//	func TestDialCancelled(t *testing.T) {
//		leak.Check(t)
//		…
//	}
//
// Goroutines need a moment to end after the call that ends them, and some callbacks are
// released by an event that is still to come, so both wait for some seconds before they
// complain, and return at once when all is quiet. The package needs the standard library
// alone and works in a browser as it does natively.
//
// # Callbacks
//
// A callback is a Go function that js.FuncOf or safejs.FuncOf has made for JavaScript to
// call, until it is released. Only an unexported table of syscall/js has all of them, and
// the linker does not let other packages see it by default. So callbacks are counted in
// binaries that were built with
//
//	-tags=callbacks -ldflags=-checklinkname=0
//
// as internal/testing/browser builds all that run in a browser or in Node
// ([CountsCallbacks]). In others there seem to be none.
package leak
