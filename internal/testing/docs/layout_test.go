//go:build !js

package docs_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLayoutIsTheTree compares the tree in CONTRIBUTING.md with the folders: each folder that it
// names exists, each package outside of bench, examples and testdata is in it or below a folder of cmd or
// wasm. Each file that the page names exists, too.
func TestLayoutIsTheTree(t *testing.T) {
	t.Parallel()
	_, text, ok := strings.Cut(readPage(t, "CONTRIBUTING.md"), "## Layout\n")
	if !ok {
		t.Fatal("CONTRIBUTING.md has no section Layout")
	}
	text, _, _ = strings.Cut(text, "\nA package imports")
	named := map[string]bool{}
	var parents []string
	for _, m := range regexp.MustCompile(`(?m)^    ( *)([a-z0-9/]+)/(?: +\S.*)?$`).FindAllStringSubmatch(text, -1) {
		depth := len(m[1]) / 2
		if depth > len(parents) {
			t.Fatalf("%s is indented too far", m[2])
		}
		parents = append(parents[:depth], m[2])
		folder := path.Join(parents...)
		named[folder] = true
		if info, err := os.Stat(filepath.Join(root, folder)); err != nil || !info.IsDir() {
			t.Errorf("the tree names %s, which is not a folder", folder)
		}
	}
	if len(named) < 20 {
		t.Fatalf("found only %d folders in the tree", len(named))
	}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (strings.HasPrefix(name, ".") && file != root || name == "testdata" || name == "bench" || name == "examples" || name == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() {
			return nil
		}
		folder, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		top, _, _ := strings.Cut(folder, "/")
		if strings.HasSuffix(name, ".go") && folder != "." && top != "cmd" && top != "wasm" && !named[folder] {
			named[folder] = true // report it once
			t.Errorf("the tree in CONTRIBUTING.md lacks %s", folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]bool{}
	files := regexp.MustCompile("`((?:[a-z0-9.]+/)*[a-z0-9_]+\\.(?:go|md|sh|wat))`")
	for _, m := range files.FindAllStringSubmatch(readPage(t, "CONTRIBUTING.md"), -1) {
		checked[m[1]] = true
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("CONTRIBUTING.md names %s, which does not exist", m[1])
		}
	}
	// The pattern finds files of the root folder and of folders below others.
	for _, name := range []string{"dial.go", "server/options.go", "ws/wstest/peer/behaviours.go", "docs/options.md"} {
		if !checked[name] {
			t.Errorf("CONTRIBUTING.md does not name %s, or this test does not find it", name)
		}
	}
}
