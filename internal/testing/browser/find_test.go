//go:build !js

package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// toolsOnly returns a directory for $PATH that contains only the named programs.
func toolsOnly(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func writeProgram(t *testing.T, path, script string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
}

// needNoBundle skips t on macOS if a browser is installed in its usual directory, because the
// script finds it.
func needNoBundle(t *testing.T) {
	t.Helper()
	for _, bundle := range []string{"/Applications/Google Chrome.app", "/Applications/Chromium.app"} {
		if _, err := os.Stat(bundle); err == nil {
			t.Skipf("%s is here", bundle)
		}
	}
}

func TestFind(t *testing.T) {
	tools := toolsOnly(t, "sh", "id", "go")
	browsers := t.TempDir()
	writeProgram(t, filepath.Join(browsers, "google-chrome"), "")
	writeProgram(t, filepath.Join(browsers, "chromium"), "")
	tests := []struct {
		name, chromeBin, path string
		want, err             string
	}{
		{"CHROME_BIN comes first", filepath.Join(browsers, "google-chrome"), browsers, filepath.Join(browsers, "google-chrome"), ""},
		{"chromium before google-chrome", "", browsers, filepath.Join(browsers, "chromium"), ""},
		{"CHROME_BIN that is no program", "/no/such/browser", browsers, "", "CHROME_BIN is '/no/such/browser', which is not an executable file"},
		{"none", "", "/nothing/here", "", "set CHROME_BIN to a Chromium or Chrome"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "none" {
				needNoBundle(t)
			}
			t.Setenv("CHROME_BIN", tt.chromeBin)
			t.Setenv("PATH", tt.path+string(os.PathListSeparator)+tools)
			got, err := Chromium.Find(t.Context())
			if got != tt.want {
				t.Errorf("Find gave %q, want %q", got, tt.want)
			}
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("Find gave error %v", err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "\n")):
				t.Errorf("Find gave error %v, want one line with %q", err, tt.err)
			}
		})
	}
}

// TestScriptInstalls runs scripts/chromium.sh without --no-install and with a fake apt-get,
// which logs its arguments and, if it succeeds, creates a chromium.
func TestScriptInstalls(t *testing.T) {
	if _, err := os.Stat("/etc/debian_version"); err != nil {
		t.Skip("the script uses apt-get only on Debian and its derivatives")
	}
	tests := []struct {
		name, user, apt string
		log, err        string
		found           bool
	}{
		{"root", "0", `echo "$*" >>"$0.log"; case "$*" in *install*) printf '#!/bin/sh\n' >"${0%/*}/chromium"; chmod +x "${0%/*}/chromium";; esac`, "install --no-install-recommends chromium", "", true},
		{"root without a network", "0", `echo "$*" >>"$0.log"; exit 100`, "update", "apt-get could not install chromium", false},
		{"not root", "1000", `echo "$*" >>"$0.log"`, "", "no Chromium found", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := toolsOnly(t, "sh", "chmod")
			writeProgram(t, filepath.Join(dir, "id"), "echo "+tt.user)
			writeProgram(t, filepath.Join(dir, "apt-get"), tt.apt)
			script := exec.CommandContext(t.Context(), filepath.Join(dir, "sh"), "../../../scripts/chromium.sh")
			script.Env = []string{"PATH=" + dir}
			var stderr strings.Builder
			script.Stderr = &stderr
			out, err := script.Output()

			if tt.found && (err != nil || string(out) != filepath.Join(dir, "chromium")+"\n") {
				t.Errorf("the script printed %q and returned %v, want the path of the new chromium", out, err)
			}
			if !tt.found && (script.ProcessState.ExitCode() != 1 || len(out) > 0 || !strings.Contains(stderr.String(), tt.err)) {
				t.Errorf("the script printed %q, %q and returned %v, want exit status 1 and %q on standard error", out, stderr.String(), err, tt.err)
			}
			log, err := os.ReadFile(filepath.Join(dir, "apt-get.log"))
			if (err != nil) != (tt.log == "") || !strings.Contains(string(log), tt.log) {
				t.Errorf("apt-get ran with %q, want %q in it", log, tt.log)
			}
		})
	}
}
