//go:build !js

// Package e2e holds the tests that need a real browser: the packages' own tests, compiled to
// WebAssembly and run in headless Chromium against a native server, and tests of the example
// client with mouse and keyboard input.
//
// It contains only tests. make test-wasm and make test-e2e run them. Package
// internal/testing/browser finds the browser and documents how Go tests run inside it.
package e2e
