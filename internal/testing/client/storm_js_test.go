//go:build js

package client_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/isosocket/isosocket"
)

// sendsPings says whether the target supports DialOptions.PingInterval.
const sendsPings = false

// parallel does nothing: the tests in a page share a server and its proxy.
func parallel(*testing.T) {}

// stormURLs returns the URLs of the server that was started for the browser.
func stormURLs(t *testing.T) (url, direct string) {
	t.Helper()
	url, direct = os.Getenv("ISOSOCKET_STORM_URL"), os.Getenv("ISOSOCKET_STORM_DIRECT")
	if url == "" || direct == "" {
		t.Skip("no storm server: ISOSOCKET_STORM_URL and ISOSOCKET_STORM_DIRECT are not set")
	}
	return url, direct
}

// countResources counts goroutines and js.Funcs, and returns a function that fails t if there
// are more than before.
func countResources(t *testing.T) (check func()) {
	t.Helper()
	goroutines := runtime.NumGoroutine()
	callbacks := countListeners(t)
	return func() {
		t.Helper()
		settled(t, "goroutines", runtime.NumGoroutine, goroutines)
		settled(t, "listeners", callbacks, 0)
	}
}

// watchSockets does nothing: a browser does not show its sockets.
func watchSockets(*testing.T, *isosocket.DialOptions) {}
