//go:build !js

package e2e

import (
	"context"
	"testing"

	"github.com/isosocket/isosocket/internal/browser"
)

// socketTests are the tests in which the WebSocket is a fake one, or none.
var socketTests = []struct {
	name string // relative to the module
	path string // relative to this directory
	args []string
}{
	{"internal/browsersocket", "../internal/browsersocket", nil},
	{"internal/testing/client", "../internal/testing/client", []string{"-test.run=^TestDial(WithoutWebSocket|ConstructorThrows|OptionsThatABrowserCannotHonour)$"}},
	{"internal/wsurl", "../internal/wsurl", nil},
}

// TestSocket runs the browser transport's own tests, and those of what Dial
// makes of it, in a page, in a worker, and in Node where there is one.
func TestSocket(t *testing.T) {
	b := browser.Start(t)
	for _, pkg := range socketTests {
		test := browser.CompileWasmTest(t, pkg.path)
		test.Args = pkg.args
		runEverywhere(t, b, pkg.name+"/", test)
	}
}

// runEverywhere runs test in a page, in a worker and, where there is one, in Node,
// each as a subtest whose name begins with prefix.
func runEverywhere(t *testing.T, b *browser.Browser, prefix string, test browser.WasmTest) {
	for name, where := range map[string]browser.Where{
		"page":   browser.InPage,
		"worker": browser.InWorker,
		"node":   browser.InNode,
	} {
		t.Run(prefix+name, func(t *testing.T) {
			if where == browser.InNode {
				if _, err := browser.FindNode(t.Context()); err != nil {
					t.Skip(err)
				}
			}
			test := test
			test.Where = where
			ctx, cancel := context.WithTimeout(t.Context(), wasmTimeout)
			defer cancel()
			browser.RunWasmTest(ctx, t, b, test)
		})
	}
}
