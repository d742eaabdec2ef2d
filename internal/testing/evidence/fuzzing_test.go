//go:build !js

package evidence

import (
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFuzzTargetsAreListed: docs/fuzzing.md has a row for each fuzz target, and scripts/fuzztargets.sh,
// by which make fuzz runs them, has a line.
func TestFuzzTargetsAreListed(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9/]+\\.Fuzz\\w+)` \\| \\S.{10,} \\|$").FindAllStringSubmatch(read(t, "docs/fuzzing.md"), -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)

	list := exec.CommandContext(t.Context(), "sh", "scripts/fuzztargets.sh")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	var run []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 4 {
			t.Fatalf("the line %q has not four words", line)
		}
		run = append(run, path.Join(f[0], f[1])+"."+f[2])
	}
	slices.Sort(run)
	if !slices.Equal(listed, run) {
		t.Errorf("docs/fuzzing.md lists\n%s\nand make fuzz runs\n%s", strings.Join(listed, "\n"), strings.Join(run, "\n"))
	}

	for folder, p := range readTests(t) {
		for name := range p.functions {
			if target := folder + "." + name; strings.HasPrefix(name, "Fuzz") && !slices.Contains(run, target) {
				t.Errorf("make fuzz does not run %s", target)
			}
		}
	}
}
