//go:build !js

package browser

import (
	"fmt"
	"os"
	"path/filepath"
)

// coverageDir returns the value of ISOSOCKET_COVERDIR, the absolute path of a directory. If it is
// set, the wasm test binaries are built with -cover, and leave the data for go tool covdata there.
func coverageDir() string { return os.Getenv("ISOSOCKET_COVERDIR") }

// coverageFlags are those of the tests that run natively, so that the two can be added up.
var coverageFlags = []string{"-cover", "-covermode=atomic", "-coverpkg=github.com/isosocket/isosocket/..."}

// keepCoverage writes a file of coverage data, which the binary wrote in a browser. The name
// identifies the binary, the process and the time.
func keepCoverage(name string, data []byte) error {
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return fmt.Errorf("the test left a file %q, which is not the name of a file", name)
	}
	if coverageDir() == "" {
		return fmt.Errorf("the test left a file %q, and ISOSOCKET_COVERDIR is not set", name)
	}
	return os.WriteFile(filepath.Join(coverageDir(), name), data, 0o644)
}
