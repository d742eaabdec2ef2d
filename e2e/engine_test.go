//go:build !js

package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/browser"
)

// venue is an engine and an environment in it in which a test binary runs.
type venue struct {
	engine browser.Engine
	where  browser.Where
}

// String returns the name of the column of v in the parity table, which is also that of its
// subtests.
func (v venue) String() string {
	switch v.where {
	case browser.InWorker:
		return string(v.engine) + "-worker"
	case browser.InSharedWorker:
		return string(v.engine) + "-shared"
	case browser.InServiceWorker:
		return string(v.engine) + "-service"
	}
	return string(v.engine)
}

// venues are the environments in which the packages' tests run.
var venues = []venue{
	{browser.Chromium, browser.InPage},
	{browser.Chromium, browser.InWorker},
	{browser.Firefox, browser.InPage},
	{browser.WebKit, browser.InPage},
	{browser.Node, browser.InNode},
	{browser.Deno, browser.InDeno},
	{browser.Bun, browser.InBun},
}

// furtherVenues are the environments in which only the harness and, with PARITY_PLACES=all, the
// cases run.
var furtherVenues = []venue{
	{browser.Chromium, browser.InSharedWorker},
	{browser.Chromium, browser.InServiceWorker},
	{browser.Firefox, browser.InWorker},
	{browser.Firefox, browser.InSharedWorker},
	{browser.Firefox, browser.InServiceWorker},
	{browser.WebKit, browser.InWorker},
}

// needEngine skips t if e is not installed. If ISOSOCKET_ENGINES_REQUIRED is set, it fails t
// instead.
func needEngine(t *testing.T, e browser.Engine) {
	t.Helper()
	_, err := e.Find(t.Context())
	switch {
	case err == nil:
	case e == browser.Chromium || os.Getenv("ISOSOCKET_ENGINES_REQUIRED") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// eachEngine runs f as a subtest in each of the selected engines that use accepts. A few run at
// once: most tests wait more than they compute. It returns when all have ended.
func eachEngine(t *testing.T, use func(browser.Engine) bool, f func(t *testing.T, e browser.Engine)) {
	t.Helper()
	engines := slices.DeleteFunc(selectedEngines(t), func(e browser.Engine) bool { return !use(e) })
	t.Run("engines", func(t *testing.T) {
		for _, e := range engines {
			t.Run(string(e), func(t *testing.T) {
				t.Parallel()
				needEngine(t, e)
				f(t, e)
			})
		}
	})
}

// eachBrowser runs f as a subtest in each selected engine that has pages.
func eachBrowser(t *testing.T, f func(t *testing.T, b *browser.Browser)) {
	t.Helper()
	eachEngine(t, browser.Engine.HasPages, func(t *testing.T, e browser.Engine) { f(t, browser.StartEngine(t, e, nil)) })
}

// eachVenue runs f as a subtest in each environment of the selected engines, with one browser
// for each engine. It calls f for a few engines at once.
func eachVenue(t *testing.T, places []venue, o *browser.Options, f func(t *testing.T, b *browser.Browser, v venue)) {
	t.Helper()
	has := func(e browser.Engine) bool {
		return slices.ContainsFunc(places, func(v venue) bool { return v.engine == e })
	}
	eachEngine(t, has, func(t *testing.T, e browser.Engine) {
		var b *browser.Browser
		if e.HasPages() {
			b = browser.StartEngine(t, e, o)
		}
		for _, v := range places {
			if v.engine == e {
				t.Run(v.where.String(), func(t *testing.T) { f(t, b, v) })
			}
		}
	})
}

// selectedEngines returns the engines that $ENGINE names, separated by spaces or commas. The
// default is Chromium.
func selectedEngines(t *testing.T) []browser.Engine {
	t.Helper()
	names := strings.FieldsFunc(os.Getenv("ENGINE"), func(r rune) bool { return r == ' ' || r == ',' })
	if len(names) == 0 {
		return []browser.Engine{browser.Chromium}
	}
	var selected []browser.Engine
	for _, name := range names {
		e := browser.Engine(name)
		if !slices.Contains(browser.Engines(), e) {
			t.Fatalf("ENGINE names %q; the engines are %v", name, browser.Engines())
		}
		selected = append(selected, e)
	}
	return selected
}
