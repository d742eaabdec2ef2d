//go:build !js

package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	shells := t.TempDir() // what the script itself needs
	for _, name := range []string{"sh", "id", "go"} {
		path, err := filepath.Abs(lookPath(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(shells, name)); err != nil {
			t.Fatal(err)
		}
	}
	browsers := t.TempDir()
	for _, name := range []string{"google-chrome", "chromium"} {
		if err := os.WriteFile(filepath.Join(browsers, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, chromeBin, path string
		want, err             string
	}{
		{"CHROME_BIN comes first", filepath.Join(browsers, "google-chrome"), browsers, filepath.Join(browsers, "google-chrome"), ""},
		{"chromium before google-chrome", "", browsers, filepath.Join(browsers, "chromium"), ""},
		{"CHROME_BIN that is no program", "/no/such/browser", browsers, "", "CHROME_BIN is '/no/such/browser', which is no executable file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("CHROME_BIN", tt.chromeBin)
			t.Setenv("PATH", tt.path+string(os.PathListSeparator)+shells)
			got, err := Find(t.Context())
			if got != tt.want {
				t.Errorf("Find gave %q, want %q", got, tt.want)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("Find gave error %v, want %q", err, tt.err)
			}
		})
	}

	t.Run("none", func(t *testing.T) {
		for _, bundle := range []string{"/Applications/Google Chrome.app", "/Applications/Chromium.app"} {
			if _, err := os.Stat(bundle); err == nil {
				t.Skipf("%s is here", bundle)
			}
		}
		t.Setenv("CHROME_BIN", "")
		t.Setenv("PATH", shells)
		got, err := Find(t.Context())
		if got != "" || err == nil || !strings.Contains(err.Error(), "set CHROME_BIN") || strings.Contains(err.Error(), "\n") {
			t.Errorf("Find gave %q, %v; want one line that says what to do", got, err)
		}
	})
}
