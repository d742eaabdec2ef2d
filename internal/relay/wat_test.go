//go:build !js

package relay

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// relay.wasm is relay.wat, assembled: go generate ./internal/relay writes it.
func TestModuleIsAssembled(t *testing.T) {
	assembler, err := exec.LookPath("wat2wasm")
	if err != nil {
		t.Fatalf("%v; install wabt, or run scripts/wabt.sh, which does so as root on Debian", err)
	}
	fresh := filepath.Join(t.TempDir(), "relay.wasm")
	if out, err := exec.CommandContext(t.Context(), assembler, "relay.wat", "-o", fresh).CombinedOutput(); err != nil {
		t.Fatalf("wat2wasm: %v\n%s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("relay.wasm")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("relay.wasm (%d bytes) differs from the assembled relay.wat (%d bytes): run go generate ./internal/relay", len(got), len(want))
	}
}
