//go:build !linux

package stream

import "errors"

// canPoll reports whether a Poller works on this system.
const canPoll = false

// Poller waits until parked connections are readable, on Linux.
type Poller struct{}

// PollEntry is a connection of a Poller.
type PollEntry struct {
	Transport *Transport
	Readable  func()
}

// Add returns [errors.ErrUnsupported].
func (p *Poller) Add(*PollEntry) error { return errors.ErrUnsupported }

// Remove does nothing.
func (p *Poller) Remove(*PollEntry) {}

// Park reports false.
func (p *Poller) Park(*PollEntry, func()) bool { return false }

func (t *Transport) readable() bool { return true }
