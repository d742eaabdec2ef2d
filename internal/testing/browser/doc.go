//go:build !js

// Package browser drives headless browsers and other JavaScript engines for tests, and runs
// Go tests inside them.
//
// [StartEngine] starts Chromium, Firefox or WebKit for as long as a test lives, and
// [Browser.NewPage] opens a tab in it. One file an engine implements the contract: how the engine
// starts and stops, opens a page, acts on it, and hands on its console. Chromium is driven by
// chromedp, Firefox by WebDriver BiDi over this module's own Dial, WebKit by WebDriver. Node, Deno
// and Bun have no pages; a test binary runs in a process of its own there.
//
// [Start] starts Chromium, and chromedp's actions run on the tab's [Page.Context]:
//
//	b := browser.Start(t)
//	page := b.NewPage(t)
//	err := chromedp.Do(page.Context(), chromedp.Navigate(url))
//
// What a page writes to its console, with the exceptions that nothing caught, is kept, and printed
// when the test fails.
//
// # Go tests in a browser
//
// [CompileWasmTest] compiles a package's tests for GOOS=js, and [RunWasmTest] runs the binary in a
// page, in a worker of any kind, or in Node, Deno or Bun, where every test, subtest, example and
// fuzz seed of the binary becomes a subtest of the native test, with its own result and its own
// output:
//
//	test := browser.CompileWasmTest(t, "github.com/isosocket/isosocket/ws")
//	browser.RunWasmTest(t.Context(), t, b, test)
//
// The binary finds its package's testdata where it expects it, and has an empty /tmp; both
// live in memory. It gets exactly the environment that [WasmTest.Env] names, which is how a
// test server's URL travels.
//
// A run fails when a test fails, and also when the binary exits with another code than 0,
// panics, exits before all its tests have ended, runs no test at all, when the page throws
// an exception that nothing catches, or when time runs out.
//
// Engines are found in the order that scripts/engine.sh and, for Chromium,
// scripts/chromium.sh document. A test that needs a browser and finds none fails; it is not
// skipped.
//
// The package is for this module's own tests, on native targets only.
package browser
