//go:build !js

package parity

import (
	"os"
	"testing"
)

// TestDocument compares docs/parity.md with the data. PARITY_DOCUMENT=write writes it.
func TestDocument(t *testing.T) {
	t.Parallel()
	const path = "../../../docs/parity.md"
	if os.Getenv("PARITY_DOCUMENT") == "write" {
		if err := os.WriteFile(path, []byte(Document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != Document() {
		t.Error("docs/parity.md does not match the data of ws/wstest: run PARITY_DOCUMENT=write go test ./internal/testing/parity")
	}
}
