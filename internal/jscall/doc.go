// Package jscall calls JavaScript from a browser build and returns errors where
// syscall/js panics: for an exception of JavaScript, and for a call on a value of the
// wrong type.
//
// It imports nothing that syscall/js does not: fmt alone, with reflect and os,
// would add 100 KB (gzip -9) to every browser client, nearly as much as all of
// this module's packages.
//
// Everything but this comment builds only for js.
package jscall
