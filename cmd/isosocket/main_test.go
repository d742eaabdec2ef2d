//go:build !js

package main

import (
	"os"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

// TestMain lets the test binary act as the command: see startCommand.
func TestMain(m *testing.M) {
	if os.Getenv("ISOSOCKET_TEST_COMMAND") != "" {
		main()
	}
	leak.Main(m)
}
