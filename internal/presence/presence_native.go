//go:build !js

package presence

import "time"

// Watcher is a user who is always there: no portable system reports when a machine
// comes online.
type Watcher struct{}

// Watch returns a Watcher.
func Watch() *Watcher { return &Watcher{} }

// Returned returns nil: nothing will ever be delivered.
func (*Watcher) Returned() <-chan time.Time { return nil }

// Away returns false.
func (*Watcher) Away() bool { return false }

// Stop has nothing to release.
func (*Watcher) Stop() {}
