// Package relay passes messages between a browser's WebSocket and Go, in place of
// JavaScript: it is a small WebAssembly module, with one instance per connection.
//
// # Why
//
// A call from Go into JavaScript and a callback into Go cost as much as dozens of
// messages that JavaScript handles alone. So as much as possible should happen without
// Go: reading a message's bytes, placing many messages where one copy brings them to Go,
// deciding when to wake Go, passing many messages to WebSocket.send. Go cannot load
// JavaScript for that, because a Content-Security-Policy may forbid eval. It can load
// WebAssembly, by the same permission that lets the browser run Go. The module calls only
// built-in functions of JavaScript, with values that are opaque to it (externref, which
// every browser has that runs Go's WebAssembly today).
//
// It takes about a microsecond per message. Functions composed of Function.bind and
// getters, which need no eval either, took several, and could not make decisions.
//
// # How it is written
//
// relay.wat is the module's text, and wat2wasm of wabt assembles it to the
// committed relay.wasm (go generate). A test checks that the two agree.
//
// Everything but this comment and that test builds only for js.
package relay
