//go:build !js

package wstest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/ws/wstest"
)

// TestDifferencesAreInTheREADME keeps the README's table what the cases show.
func TestDifferencesAreInTheREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if table := wstest.DifferencesTable(); !strings.Contains(string(readme), table) {
		t.Errorf("the README lacks this table, exactly:\n%s", table)
	}
}
