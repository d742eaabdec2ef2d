//go:build !js

// Package e2e holds the tests that need a real browser: the packages' own tests, compiled
// to WebAssembly and run in headless Chromium against a native server, and the example
// client, driven as a person would.
//
// It contains tests only. make test-wasm and make test-e2e run it; package
// internal/testing/browser finds the browser and explains how Go tests run inside it.
package e2e
