//go:build !js

package e2e

import (
	"context"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/internal/testing/topics"
)

// TestTopics runs the tests of the client of topics in a page, with a server behind a network with
// faults. TestWasm runs those that need no server.
func TestTopics(t *testing.T) {
	s, err := topics.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := browser.Start(t)
	test := browser.CompileWasmTest(t, "../internal/testing/topics")
	test.Env = map[string]string{"ISOSOCKET_TOPICS_URL": s.URL(), "ISOSOCKET_TOPICS_DIRECT": s.Direct()}
	ctx, cancel := context.WithTimeout(t.Context(), wasmTimeout)
	defer cancel()
	result := browser.RunWasmTest(ctx, t, b, test)
	for _, r := range result.Tests {
		if r.Status == browser.Skipped {
			t.Errorf("a test was skipped: %s", r.Output())
		}
	}
}
