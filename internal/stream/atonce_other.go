//go:build !linux

package stream

// takesAtOnce returns false: this system does not report it.
func (*socket) takesAtOnce() bool { return false }
