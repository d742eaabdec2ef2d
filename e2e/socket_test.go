//go:build !js

package e2e

import (
	"context"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/browser"
)

// socketTests are the packages whose tests use a fake WebSocket or none.
var socketTests = []struct {
	name string // relative to the module
	path string // relative to this directory
	args []string
}{
	{"internal/browsersocket", "../internal/browsersocket", nil},
	{"internal/testing/client", "../internal/testing/client", []string{"-test.run=^TestDial(WithoutWebSocket|ConstructorThrows|OptionsThatABrowserCannotHonour)$"}},
	{"internal/wsurl", "../internal/wsurl", nil},
}

// TestSocket runs the tests of the browser transport and of Dial's use of it in every engine.
func TestSocket(t *testing.T) {
	for _, pkg := range socketTests {
		t.Run(pkg.name, func(t *testing.T) {
			test := browser.CompileWasmTest(t, pkg.path)
			test.Args = pkg.args
			runEverywhere(t, test)
		})
	}
}

// runEverywhere runs test as a subtest in each environment of each engine.
func runEverywhere(t *testing.T, test browser.WasmTest) {
	t.Helper()
	eachVenue(t, venues, &browser.Options{NoReconnectDelay: true}, func(t *testing.T, b *browser.Browser, v venue) {
		test := test
		test.Where = v.where
		ctx, cancel := context.WithTimeout(t.Context(), wasmTimeout)
		defer cancel()
		browser.RunWasmTest(ctx, t, b, test)
	})
}
