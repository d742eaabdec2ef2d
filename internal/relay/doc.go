// Package relay is what stands in JavaScript's place between a browser's
// WebSocket and Go: a small WebAssembly module, of its own instance for each
// connection.
//
// # Why
//
// A call from Go into JavaScript and a callback into Go cost as much as dozens of
// messages that JavaScript handles alone. So it should do what it can alone: take
// a message's bytes, put many messages where one copy brings them to Go, decide
// when to wake Go, hand many to WebSocket.send. A browser that runs Go cannot be
// given JavaScript for that, as a Content-Security-Policy may forbid eval. It
// can be given WebAssembly, by the very permission that lets it run Go. The
// module calls built-in functions of JavaScript and nothing else, with values that
// it holds without knowing what they are (externref, in every browser that runs
// Go's WebAssembly of today).
//
// It takes about a microsecond per message, where functions that Function.bind
// and getters put together, which need no eval either, took several, and could
// not decide anything.
//
// # How it is written
//
// relay.wat is the module's text, and wat2wasm of wabt assembles it to the
// committed relay.wasm (go generate). A test checks that the two agree.
//
// Everything but this comment and that test builds only for js.
package relay
