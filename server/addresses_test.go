//go:build !js

package server

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// counts returns how many addresses are remembered with and without connections.
func (t *addresses) sizes() (busy, idle int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.busy), len(t.idle)
}

// network returns an IPv6 network of 64 bits.
func network(i int) netip.Addr {
	return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, byte(i >> 16), byte(i >> 8), byte(i)})
}

func TestAddressesAreBoundedAndExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var clients addresses
		limits := addressLimits{connections: 2, handshakes: 10}
		kept, _, _ := clients.enter(network(0), limits)
		for i := 1; i <= 3*maxIdleAddresses; i++ {
			a, reached, _ := clients.enter(network(i), limits)
			if reached != "" {
				t.Fatalf("network %d has reached %s", i, reached)
			}
			clients.leave(a)
		}
		if busy, idle := clients.sizes(); busy != 1 || idle != maxIdleAddresses {
			t.Errorf("%d addresses with and %d without connections are remembered, want 1 and %d", busy, idle, maxIdleAddresses)
		}
		time.Sleep(2*rateBurst*time.Second + time.Millisecond)
		if busy, idle := clients.sizes(); busy != 1 || idle != 0 {
			t.Errorf("after the sweep %d addresses with and %d without connections are remembered, want 1 and 0", busy, idle)
		}
		if second, reached, _ := clients.enter(network(0), limits); reached != "" {
			t.Errorf("a second connection has reached %s", reached)
		} else if _, reached, _ := clients.enter(network(0), limits); reached != LimitConnectionsPerAddress {
			t.Errorf("a third connection has reached %q", reached)
		} else {
			clients.leave(second)
		}
		clients.leave(kept)
		if busy, _ := clients.sizes(); busy != 0 {
			t.Errorf("%d addresses are left with connections", busy)
		}
	})
}

func TestAddressesKeepTheRateThatWasUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var clients addresses
		limits := addressLimits{handshakes: 2}
		begin := time.Now()
		answered := 0
		for time.Since(begin) < time.Minute {
			a, reached, wait := clients.enter(network(1), limits)
			clients.leave(a)
			switch reached {
			case "":
				answered++
			case LimitHandshakeRate:
				if wait <= 0 || wait > 500*time.Millisecond {
					t.Fatalf("the wait is %v, want at most half a second", wait)
				}
			default:
				t.Fatalf("the limit is %q", reached)
			}
			time.Sleep(7 * time.Millisecond)
		}
		if most := rateBurst*2 + 60*2; answered > most || answered < most-1 {
			t.Errorf("%d requests were answered in a minute, want %d", answered, most)
		}
	})
}
