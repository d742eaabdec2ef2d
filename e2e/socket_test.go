//go:build !js

package e2e

import (
	"context"
	"maps"
	"slices"
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
	tests := make(map[string]browser.WasmTest)
	for _, pkg := range socketTests {
		test := browser.CompileWasmTest(t, pkg.path)
		test.Args = pkg.args
		tests[pkg.name] = test
	}
	runEverywhere(t, tests)
}

// runEverywhere runs tests, by name, as subtests in each environment of each engine.
func runEverywhere(t *testing.T, tests map[string]browser.WasmTest) {
	t.Helper()
	eachVenue(t, venues, &browser.Options{NoReconnectDelay: true}, func(t *testing.T, b *browser.Browser, v venue) {
		for _, name := range slices.Sorted(maps.Keys(tests)) {
			t.Run(name, func(t *testing.T) {
				test := tests[name]
				test.Where = v.where
				ctx, cancel := context.WithTimeout(t.Context(), wasmTimeout)
				defer cancel()
				browser.RunWasmTest(ctx, t, b, test)
			})
		}
	})
}
