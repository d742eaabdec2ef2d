//go:build !js

package faultproxy

import "fmt"

// Fault is a proxy's treatment of connections.
type Fault uint8

// The faults. Their effect on open connections is permanent: a connection in Blackhole does not
// recover, as with a router that has lost its state.
const (
	// Pass forwards everything, after the latency.
	Pass Fault = iota
	// Blackhole discards all data and ends of stream on open connections. It accepts new ones
	// and discards their data, too.
	Blackhole
	// Reset resets open connections (TCP RST) on both sides, and passes new ones.
	Reset
	// HalfClose sends the client the end of the stream (TCP FIN), discards later data of the
	// client, and passes new connections.
	HalfClose
	// Refuse resets open connections and refuses new ones.
	Refuse
	// Hang resets open connections, and accepts new ones without an answer.
	Hang
)

// Faults lists all faults except Pass.
var Faults = []Fault{Blackhole, Reset, HalfClose, Refuse, Hang}

var names = [...]string{"pass", "blackhole", "reset", "half-close", "refuse", "hang"}

// String returns the name of f.
func (f Fault) String() string {
	if int(f) < len(names) {
		return names[f]
	}
	return fmt.Sprintf("invalid fault %d", int(f))
}

// ParseFault returns the fault with the name.
func ParseFault(name string) (Fault, error) {
	for i, n := range names {
		if n == name {
			return Fault(i), nil
		}
	}
	return 0, fmt.Errorf("faultproxy: %q is not a fault; the faults are %q", name, names)
}
