// Package client holds the tests of Dial, Connections and Client that need a server, a network
// with faults, or a page. The root package has the others, which run in fake time.
//
// The files named *_native_test.go run natively and start their own servers. Those named
// *_js_test.go, and storm_test.go on both targets, run in a browser: package e2e compiles
// them, starts the servers and passes their addresses in the environment.
package client
