//go:build !js

package presence

import "time"

// Watcher never reports a return: there is no portable way to find out when a machine
// comes online.
type Watcher struct{}

// Watch returns a Watcher.
func Watch() *Watcher { return &Watcher{} }

// Returned returns nil, a channel that never delivers.
func (*Watcher) Returned() <-chan time.Time { return nil }

// Away returns false.
func (*Watcher) Away() bool { return false }

// Stop does nothing.
func (*Watcher) Stop() {}
