//go:build !js

package wstest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/ws/wstest"
)

// TestDifferencesAreInTheDocs keeps the table of docs/browser.md what the cases show.
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
