//go:build js

package wstest_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/leak"
	"github.com/isosocket/isosocket/ws/wstest"
)

const (
	name  = "browser"
	class = wstest.Browser
)

func serverAddresses(t *testing.T) (a wstest.Addresses) {
	t.Helper()
	s := os.Getenv("WSTEST_SERVER")
	if s == "" {
		t.Skip("WSTEST_SERVER does not tell where the native test server is")
	}
	if err := json.Unmarshal([]byte(s), &a); err != nil {
		t.Fatalf("WSTEST_SERVER: %v", err)
	}
	return a
}

// trust has nothing to say in a browser, which is told from outside.
func trust(string) *isosocket.NativeOptions { return nil }

// checkLeft fails t if a case leaves a goroutine behind.
func checkLeft(t testing.TB) { leak.Check(t) }
