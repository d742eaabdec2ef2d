//go:build !js

package e2e

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/internal/testing/storm"
)

// TestStorm runs the tests of staying connected in a page, through a network that
// fails in every way. ISOSOCKET_STORM_TIME says how long,
// ten seconds unless it is set.
func TestStorm(t *testing.T) {
	s, err := storm.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := browser.Start(t)
	test := browser.CompileWasmTest(t, "../internal/testing/client")
	test.Args = []string{"-test.run=^(TestStorm|TestExpired|TestThousand|TestPresence|TestHalfOpen|TestHeartbeat)"}
	test.Env = map[string]string{"ISOSOCKET_STORM_URL": s.URL(), "ISOSOCKET_STORM_DIRECT": s.Direct()}
	limit := 5 * time.Minute
	for _, name := range []string{"ISOSOCKET_STORM_TIME", "ISOSOCKET_STORM_SEED"} {
		if value := os.Getenv(name); value != "" {
			test.Env[name] = value
		}
	}
	if lasts, err := time.ParseDuration(os.Getenv("ISOSOCKET_STORM_TIME")); err == nil {
		limit += lasts
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	browser.RunWasmTest(ctx, t, b, test)
}
