//go:build !js

package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	for said, want := range map[string]string{
		"v24.21.0\n":                   "24.21.0",
		"1.4.5\n":                      "1.4.5",
		"Mozilla Firefox 153.7.0esr\n": "153.7.0esr",
		"Chromium 156.0.8078.108 built on Debian\n": "156.0.8078.108",
		"deno 2.9.6 (stable, release)\nv8 15.0\n":   "2.9.6",
		"no idea": "of an unknown version",
	} {
		if got := version(said); got != want {
			t.Errorf("version(%q) = %q, want %q", said, got, want)
		}
	}
}

// TestNodeOfThePath runs the script's search for Node with a fake node in $PATH that only prints
// a version.
func TestNodeOfThePath(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "bin", "engines")); err == nil {
		t.Skip("bin/engines precedes $PATH, and may contain node")
	}
	tools := toolsOnly(t, "sh", "id", "go")
	for version, ok := range map[string]bool{
		"v18.20.4": false, "v20.19.0": false, "v21.7.1": false, "v22.0.0": true, "v24.3.1": true, "v100.0.0": true, "": false, "twenty": false,
	} {
		t.Run(version, func(t *testing.T) {
			dir := t.TempDir()
			writeProgram(t, filepath.Join(dir, "node"), "echo "+version)
			t.Setenv("NODE_BIN", "")
			t.Setenv("PATH", dir+string(os.PathListSeparator)+tools)
			got, err := Node.Find(t.Context())
			if ok && (err != nil || got != filepath.Join(dir, "node")) || !ok && (err == nil || !strings.Contains(err.Error(), "set NODE_BIN to its path")) {
				t.Errorf("Find gave %q, %v; want this one: %v", got, err, ok)
			}
		})
	}
}
