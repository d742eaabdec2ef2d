//go:build !js

package server

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxIdleAddresses is the largest number of addresses without a connection whose rate of
// handshakes is remembered, about 4 MB. A client may have very many IPv6 networks.
const maxIdleAddresses = 1 << 14

// addresses is the state of the addresses of an endpoint's clients. The zero value is ready
// to use, and safe for concurrent use.
type addresses struct {
	mu       sync.Mutex
	busy     map[netip.Addr]*address // with connections or handshakes under way
	idle     map[netip.Addr]*address // without, and with part of their rate used
	sweeping bool                    // a timer will call sweep
}

// address is the state of one address. addresses.mu guards it.
type address struct {
	addr       netip.Addr
	conns      int
	handshakes *rate.Limiter // nil for no limit
}

// enter counts a request from addr, and returns the address to pass to leave. If a limit is
// reached, it counts nothing, and returns the limit and how long to wait.
func (t *addresses) enter(addr netip.Addr, limits addressLimits) (a *address, reached Limit, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if a = t.busy[addr]; a == nil {
		if a = t.idle[addr]; a == nil {
			a = &address{addr: addr}
			t.rest(a)
		}
	}
	if a.handshakes == nil && limits.handshakes > 0 {
		a.handshakes = rate.NewLimiter(limits.handshakes, rateBurst*int(limits.handshakes))
	}
	if limits.handshakes > 0 && !a.handshakes.AllowN(now, 1) {
		missing := 1 - a.handshakes.TokensAt(now)
		return nil, LimitHandshakeRate, time.Duration(missing / float64(limits.handshakes) * float64(time.Second))
	}
	if limits.connections > 0 && a.conns >= limits.connections {
		return nil, LimitConnectionsPerAddress, refusedFor
	}
	if a.conns == 0 {
		delete(t.idle, addr)
		if t.busy == nil {
			t.busy = make(map[netip.Addr]*address)
		}
		t.busy[addr] = a
	}
	a.conns++
	return a, "", 0
}

// rest remembers an address that has no connection, and replaces another one if there are
// too many. mu is held.
func (t *addresses) rest(a *address) {
	if t.idle == nil {
		t.idle = make(map[netip.Addr]*address)
	}
	if len(t.idle) >= maxIdleAddresses {
		for other := range t.idle { // in random order
			delete(t.idle, other)
			break
		}
	}
	t.idle[a.addr] = a
	if !t.sweeping {
		t.sweeping = true
		time.AfterFunc(rateBurst*time.Second, t.sweep)
	}
}

// leave undoes enter. a may be nil.
func (t *addresses) leave(a *address) {
	if a == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.conns--; a.conns > 0 {
		return
	}
	delete(t.busy, a.addr)
	if a.handshakes != nil {
		t.rest(a)
	}
}

// sweep forgets the addresses whose rate has recovered.
func (t *addresses) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for addr, a := range t.idle {
		if a.handshakes == nil || a.handshakes.TokensAt(now) >= float64(a.handshakes.Burst()) {
			delete(t.idle, addr)
		}
	}
	t.sweeping = len(t.idle) > 0
	if t.sweeping {
		time.AfterFunc(rateBurst*time.Second, t.sweep)
		return
	}
	t.idle = nil // with the memory of a map that was large
}
