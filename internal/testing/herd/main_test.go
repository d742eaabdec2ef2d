//go:build !js

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestRestart restarts the server of a small herd. It does not check the times, which depend on
// the load of the machine.
func TestRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as a connection needs to be stable")
	}
	c, err := restart(100, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if c.attempts < 100 || c.worst < 1 {
		t.Errorf("%d attempts, %d in a window, want at least one of each client", c.attempts, c.worst)
	}
}

func TestRunRefusesBadInput(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "herd.svg")
	for _, tt := range []struct {
		clients int
		down    time.Duration
	}{{0, 0}, {1, -1}} {
		if err := run(tt.clients, tt.down, svg); err == nil || !strings.Contains(err.Error(), "-clients") {
			t.Errorf("run(%d, %v) = %v, want an error that says what is allowed", tt.clients, tt.down, err)
		}
	}
	if _, err := os.Stat(svg); err == nil {
		t.Error("a drawing was written for invalid input")
	}
}
