// Package jscall makes the calls of a browser build into JavaScript: on the
// values of safejs, and as safe as safejs makes them, since what a call of
// syscall/js panics with, a JavaScript exception among it, is an error here.
//
// safejs's own calls do the same, but turn what was panicked with into an error
// by fmt.Errorf. With fmt come reflect and os, and all of it would add 100 KB
// (gzip -9) to every browser client, nearly as much as all of this module's
// packages. So the calls are made here, and fmt stays out of a program that
// does not use it for itself.
//
// But for this text it is compiled for js only.
package jscall
