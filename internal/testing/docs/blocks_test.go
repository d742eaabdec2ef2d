//go:build !js

package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBlocksAreInTheirFiles: a block of code that follows the name of a file in examples is a part
// of that file.
func TestBlocksAreInTheirFiles(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("(?s)\n`(examples/[^`\n]+)`[^\n]*:\n\n```\\w*\n(.*?)```\n")
	found := 0
	for _, page := range pages {
		name, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range named.FindAllStringSubmatch(readPage(t, name), -1) {
			found++
			file, err := os.ReadFile(filepath.Join(root, block[1]))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if !strings.Contains(string(file), block[2]) {
				t.Errorf("%s: %s does not contain\n%s", name, block[1], block[2])
			}
		}
	}
	if found < 4 {
		t.Errorf("found %d blocks", found)
	}
}
