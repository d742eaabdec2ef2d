// Package client holds the tests of Dial, Connections and Client that need a server, a
// network that fails, or a page. The rules that need none are tested in the root
// package, in fake time.
//
// The files named *_native_test.go run natively and start their own servers. Those named
// *_js_test.go, and storm_test.go on both targets, run in a browser: package e2e compiles
// them, starts the servers and passes their addresses in the environment.
package client
