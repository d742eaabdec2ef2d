//go:build js

package topic

import "github.com/isosocket/isosocket/internal/browsersocket"

// mayWait returns an ErrWouldBlock if the calling goroutine must not wait.
func mayWait(call, instead string) error { return browsersocket.MayWait(call, instead) }
