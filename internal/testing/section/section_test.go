package section

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	for _, test := range []struct{ page, want string }{
		{"a\n<begin>\nold\n<end>\nb\n", "a\n<begin>\nnew\n<end>\nb\n"},
		{"<begin>\n<end>\n", "<begin>\nnew\n<end>\n"},
		{"a\n", ""},
		{"<begin>\n", ""},
		{"<end>\n<begin>\n", ""},
	} {
		if err := os.WriteFile(path, []byte(test.page), 0o644); err != nil {
			t.Fatal(err)
		}
		err := Write(path, "<begin>\n", "<end>\n", "new\n")
		got, _ := os.ReadFile(path)
		if test.want == "" {
			if err == nil || !strings.Contains(err.Error(), path) || string(got) != test.page {
				t.Errorf("%q: %v, and the page is %q", test.page, err, got)
			}
			continue
		}
		if err != nil || string(got) != test.want {
			t.Errorf("%q: %v, and the page is %q", test.page, err, got)
		}
	}
	if err := Write(filepath.Join(t.TempDir(), "none"), "a\n", "b\n", ""); err == nil {
		t.Error("a page that does not exist was written")
	}
}
