//go:build !js

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/browser"
)

// wasmPackages are the packages whose tests run natively and in a browser.
var wasmPackages = []struct {
	name string // relative to the module
	path string // relative to this directory
}{
	{"root", ".."},
	{"errors", "../errors"},
	{"ws", "../ws"},
	{"ws/driver", "../ws/driver"},
	{"ws/netconn", "../ws/netconn"},
	{"ws/wsjson", "../ws/wsjson"},
	{"hub", "../hub"},
	{"hub/topic", "../hub/topic"},
	{"internal/topicwire", "../internal/topicwire"},
	{"ws/wstest", "../ws/wstest"}, // except TestConformance, which TestParity runs against its server
	{"internal/jscall", "../internal/jscall"},
	{"internal/relay", "../internal/relay"},
	{"internal/presence", "../internal/presence"},
	{"internal/testing/leak", "../internal/testing/leak"},
	{"internal/subprotocol", "../internal/subprotocol"},
	{"internal/testing/docs", "../internal/testing/docs"},
	{"internal/chat", "../internal/chat"},
	{"wasm", "../wasm"},
}

// wasmTimeout bounds one package's tests in a browser. It is long enough for busy machines.
const wasmTimeout = 5 * time.Minute

func TestWasm(t *testing.T) {
	b := browser.Start(t)
	for _, pkg := range wasmPackages {
		t.Run(pkg.name, func(t *testing.T) {
			test := browser.CompileWasmTest(t, pkg.path)
			ctx, cancel := context.WithTimeout(t.Context(), wasmTimeout)
			defer cancel()
			browser.RunWasmTest(ctx, t, b, test)
		})
	}
}
