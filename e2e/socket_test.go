//go:build !js

package e2e

import (
	"context"
	"testing"

	"github.com/isosocket/isosocket/internal/browser"
)

// TestSocket runs the browser transport's own tests, in which the WebSocket is a
// fake one, in a page, in a worker, and in Node where there is one.
func TestSocket(t *testing.T) {
	b := browser.Start(t)
	test := browser.CompileWasmTest(t, "..")
	test.Args = []string{"-test.run=^(TestSocket|TestWakeup|TestDial)"}
	for name, where := range map[string]browser.Where{
		"page":   browser.InPage,
		"worker": browser.InWorker,
		"node":   browser.InNode,
	} {
		t.Run(name, func(t *testing.T) {
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
