// Package leak finds goroutines that tests leave behind.
//
// A connection that is closed but still has a goroutine somewhere has not been closed. Every package
// of this module whose code starts goroutines therefore ends its test run with [Main]:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
//
// A single test that must not leave anything behind begins with [Check], which names the test that
// leaked, where Main can only name the goroutine:
//
//	func TestDialCancelled(t *testing.T) {
//		leak.Check(t)
//		…
//	}
//
// Goroutines need a moment to end after the call that told them to, so both wait for a few seconds
// before they complain, and return at once when all is quiet. The package needs the standard library
// alone and works in a browser as it does natively.
package leak
