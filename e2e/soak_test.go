//go:build !js

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/isosocket/isosocket/internal/testing/browser"
	"github.com/isosocket/isosocket/internal/testing/storm"
)

// TestSoak sends many messages over many connections in a page of each selected browser, and
// checks that nothing grows. ISOSOCKET_SOAK_MESSAGES and ISOSOCKET_SOAK_RECONNECTS set their
// numbers, which are small by default. If ISOSOCKET_SOAK_FIGURES names a folder, the figures of
// each engine are written to a file there.
func TestSoak(t *testing.T) {
	test := browser.CompileWasmTest(t, "../internal/testing/client")
	test.Args = []string{"-test.run=^TestSoak$"}
	limit := wasmTimeout
	for _, e := range selectedEngines(t) {
		if !e.HasPages() {
			continue
		}
		t.Run(string(e), func(t *testing.T) {
			needEngine(t, e)
			s, err := storm.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			test := test
			test.Env = map[string]string{"ISOSOCKET_STORM_URL": s.URL(), "ISOSOCKET_STORM_DIRECT": s.Direct()}
			for _, name := range []string{"ISOSOCKET_SOAK_MESSAGES", "ISOSOCKET_SOAK_RECONNECTS"} {
				if value := os.Getenv(name); value != "" {
					test.Env[name] = value
				}
			}
			if messages, err := strconv.Atoi(os.Getenv("ISOSOCKET_SOAK_MESSAGES")); err == nil {
				limit += time.Duration(messages) * 10 * time.Millisecond
			}
			var b *browser.Browser
			if e == browser.Chromium {
				// It rounds the size of a page's heap, and does not let a page collect it,
				// without these.
				b = browser.Start(t, chromedp.Flag("enable-precise-memory-info", true), chromedp.Flag("js-flags", "--expose-gc"))
			} else {
				b = browser.StartEngine(t, e, nil)
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			result := browser.RunWasmTest(ctx, t, b, test)
			if folder := os.Getenv("ISOSOCKET_SOAK_FIGURES"); folder != "" && !t.Failed() {
				keepFigures(t, folder, b, result, time.Since(began))
			}
		})
	}
}

// keepFigures writes the figures that the test in the page has printed.
func keepFigures(t *testing.T, folder string, b *browser.Browser, result *browser.WasmResult, took time.Duration) {
	t.Helper()
	var figures map[string]any
	for _, test := range result.Tests {
		if _, text, ok := strings.Cut(test.Output(), " figures: "); ok {
			text, _, _ = strings.Cut(text, "\n")
			if err := json.Unmarshal([]byte(text), &figures); err != nil {
				t.Fatalf("the figures are %q: %v", text, err)
			}
		}
	}
	if figures == nil {
		t.Fatal("the test in the page has printed no figures")
	}
	figures["Engine"], figures["Version"], figures["Seconds"] = b.Engine.Label(), b.Version, took.Seconds()
	text, err := json.MarshalIndent(figures, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, string(b.Engine)+".json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}
