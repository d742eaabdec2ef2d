//go:build !js

package isosocket_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/isosocket/isosocket/internal/storm"
)

// stormURLs starts the server.
func stormURLs(t *testing.T) (url, direct string) {
	t.Helper()
	s, err := storm.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.URL(), s.Direct()
}

// countResources counts goroutines and file descriptors, and returns a function
// that fails t unless there are no more than before.
func countResources(t *testing.T) (check func()) {
	t.Helper()
	files := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return 0 // no such system: the goroutines have to do
		}
		return len(entries)
	}
	goroutines, descriptors := runtime.NumGoroutine(), files()
	return func() {
		t.Helper()
		settled(t, "goroutines", runtime.NumGoroutine, goroutines)
		settled(t, "file descriptors", files, descriptors)
	}
}
