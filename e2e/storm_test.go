//go:build !js

package e2e

import (
	"context"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/internal/testing/storm"
)

// TestStorm runs the tests of reconnecting in a page of each engine, over a network with all kinds
// of faults.
// ISOSOCKET_STORM_TIME sets the duration; the default is ten seconds.
func TestStorm(t *testing.T) {
	test := browser.CompileWasmTest(t, "../internal/testing/client")
	test.Args = []string{"-test.run=^(TestStorm|TestExpired|TestThousand|TestPresence|TestHalfOpen|TestHeartbeat)"}
	settings := make(map[string]string)
	limit := 5 * time.Minute
	for _, name := range []string{"ISOSOCKET_STORM_TIME", "ISOSOCKET_STORM_SEED"} {
		if value := os.Getenv(name); value != "" {
			settings[name] = value
		}
	}
	if lasts, err := time.ParseDuration(os.Getenv("ISOSOCKET_STORM_TIME")); err == nil {
		limit += lasts
	}
	eachBrowser(t, func(t *testing.T, b *browser.Browser) {
		s, err := storm.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		test := test
		test.Env = map[string]string{"ISOSOCKET_STORM_URL": s.URL(), "ISOSOCKET_STORM_DIRECT": s.Direct()}
		maps.Copy(test.Env, settings)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		browser.RunWasmTest(ctx, t, b, test)
	})
}
