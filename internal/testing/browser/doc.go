//go:build !js

// Package browser controls headless browsers and other JavaScript engines for tests, and runs Go
// tests inside them.
//
// [StartEngine] starts Chromium, Firefox or WebKit for as long as a test lives, and
// [Browser.NewPage] opens a tab in it. One file for each engine starts and stops it, opens
// pages, acts on them, and reports their consoles. The protocol is that of chromedp for
// Chromium, WebDriver BiDi over this module's own Dial for Firefox, and WebDriver for WebKit.
// Node, Deno and Bun have no pages; a test binary runs in a process of its own there.
//
// [Start] starts Chromium, and chromedp's actions run on the tab's [Page.Context]:
//
//	b := browser.Start(t)
//	page := b.NewPage(t)
//	err := chromedp.Do(page.Context(), chromedp.Navigate(url))
//
// The package records the console of a page and its uncaught exceptions, and prints them when
// the test fails.
//
// # Go tests in a browser
//
// [CompileWasmTest] compiles a package's tests for GOOS=js, and [RunWasmTest] runs the binary in
// a page, in a worker of any kind, or in Node, Deno or Bun. Every test, subtest, example and
// fuzz seed of the binary becomes a subtest of the native test, with its own result and its own
// output:
//
//	test := browser.CompileWasmTest(t, "github.com/isosocket/isosocket/ws")
//	browser.RunWasmTest(t.Context(), t, b, test)
//
// The binary has its package's testdata at the usual path and an empty /tmp, both in memory. Its
// environment is [WasmTest.Env], which passes values such as the URL of a test server.
//
// A run fails when a test fails, and also when the binary exits with a code other than 0,
// panics, exits before all its tests have ended or runs no test, when the page has an uncaught
// exception, or after a timeout.
//
// scripts/engine.sh and, for Chromium, scripts/chromium.sh find the engines, in the order that
// they document. A test that needs a browser and finds none fails; it is not skipped.
//
// The package is for this module's own tests, on native targets only.
package browser
