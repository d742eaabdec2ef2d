//go:build !js

package isosocket

import "github.com/isosocket/isosocket/ws"

// newPresence returns a presence that never changes: no portable system tells
// when a machine comes online.
func newPresence() presence { return alwaysPresent{} }

type alwaysPresent struct{}

func (alwaysPresent) wake() <-chan struct{} { return nil }

func (alwaysPresent) away() bool { return false }

func (alwaysPresent) stop() {}

// probeOnReturn has nothing to watch for.
func probeOnReturn(*ws.Conn) {}
