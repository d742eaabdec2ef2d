//go:build !js

// Package announce makes net/http announce WebSocket over HTTP/2.
//
// net/http decides that while it is initialised, by the environment variable GODEBUG. Packages are
// initialised in the order of their import paths, each after its imports (the Go specification,
// Program initialization). This package imports only os and its path sorts before net/http, so it
// sets the variable first. It must not import anything that imports net/http.
package announce

import "os"

const (
	variable = "GODEBUG"
	// Setting is the setting that net/http looks for.
	Setting = "http2xconnect=1"
)

var before, had = os.LookupEnv(variable)

func init() {
	value := Setting
	if before != "" {
		value = before + "," + Setting
	}
	// An error would leave WebSocket over HTTP/2 off, and clients use HTTP/1.1.
	_ = os.Setenv(variable, value)
}

// Restore gives the variable its former value, so that child processes do not inherit the setting.
// The caller must be initialised after net/http.
func Restore() {
	if had {
		_ = os.Setenv(variable, before)
	} else {
		_ = os.Unsetenv(variable)
	}
}
