//go:build !linux

package stream

import "io"

// acknowledged returns false: this system does not report it.
func acknowledged(io.ReadWriteCloser) (a acknowledgement, ok bool) { return a, false }
