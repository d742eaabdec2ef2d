//go:build !js

package e2e

import (
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// Several makes may run in one checkout, such as make run and make test. The folder dist is
// embedded, so a temporary file there could get into a program, or vanish while the compiler
// reads it.
func TestBuildsAtTheSameTime(t *testing.T) {
	var builds sync.WaitGroup
	for range 3 {
		builds.Go(func() {
			build := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-C", "..", "build")
			if output, err := build.CombinedOutput(); err != nil {
				t.Errorf("make build: %v\n%s", err, output)
			}
		})
	}
	built := make(chan struct{})
	go func() {
		builds.Wait()
		close(built)
	}()
	allowed := []string{".gitkeep", "client.wasm.br", "client.wasm.gz", "wasm_exec.js"}
	for done := false; !done; {
		select {
		case <-built:
			done = true
		case <-time.After(time.Millisecond):
		}
		files, err := os.ReadDir("../cmd/isosocket/dist")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !slices.Contains(allowed, file.Name()) {
				t.Errorf("dist contains %s during a build", file.Name())
			}
		}
		if done && len(files) != len(allowed) {
			t.Errorf("dist has %v, want %v", files, allowed)
		}
	}
}
