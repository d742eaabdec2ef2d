//go:build !js

package wstest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/ws/wstest"
)

// TestDifferencesAreInTheDocs checks that docs/browser.md has the table that the cases generate.
func TestDifferencesAreInTheDocs(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/browser.md")
	if err != nil {
		t.Fatal(err)
	}
	if table := wstest.DifferencesTable(); !strings.Contains(string(page), table) {
		t.Errorf("the page lacks this table, exactly:\n%s", table)
	}
}
