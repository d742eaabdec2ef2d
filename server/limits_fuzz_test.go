//go:build !js

package server

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// FuzzLimits: whatever numbers Limits has, those that apply are in the range that counting can bear. A
// trusted proxy is an error that quotes it, or what the older parsers of package net read, too.
func FuzzLimits(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32", "unix", "", "10.0.0.1/33", "::ffff:10.0.0.1", "fe80::1%eth0", "010.0.0.1", "10.0.0.0/08", "1.2.3.4/0"} {
		f.Add(s, "", 0, int64(0), int64(0))
	}
	f.Add("::1", "forwarded", -1, int64(-1), int64(-1))
	f.Add("::1", "X-Real-IP", int(^uint(0)>>1), int64(1)<<62, int64(1)<<62)
	f.Fuzz(func(t *testing.T, trusted, header string, n int, memory, lifetime int64) {
		l, err := newLimiter(&Limits{
			MaxConnections: n, MaxConnectionsPerAddress: n, HandshakeRate: n, MessageRate: n, ByteRate: n,
			MaxMemory: memory, IdleTimeout: time.Duration(lifetime), MaxLifetime: time.Duration(lifetime),
			TrustedProxies: []string{trusted}, ProxyHeader: header,
		})
		for name, got := range map[string]int{
			"connections": l.maxConnections, "connections of an address": l.remote.address.connections, "handshakes": int(l.remote.address.handshakes),
			"messages": l.remote.stream.Messages, "bytes": l.local.stream.Bytes,
		} {
			switch {
			case got < 0 || got > greatest:
				t.Errorf("the limit of %s for %d is %d", name, n, got)
			case n < 0 && got != 0, n > 0 && n <= greatest && got != n:
				t.Errorf("the limit of %s for %d is %d", name, n, got)
			}
		}
		if l.maxMemory < 0 || l.maxLifetime < 0 || l.remote.stream.Idle < 0 {
			t.Errorf("memory %d is %d, lifetime %d is %d and %d", memory, l.maxMemory, lifetime, l.maxLifetime, l.remote.stream.Idle)
		}

		known := header == "" || strings.EqualFold(header, "X-Forwarded-For") || strings.EqualFold(header, "Forwarded")
		if !known {
			if err == nil || !strings.Contains(err.Error(), "ProxyHeader") {
				t.Errorf("ProxyHeader %q: %v", header, err)
			}
			return
		}
		if trusted == "unix" {
			if err != nil || !l.proxies.unix {
				t.Errorf("unix: %v", err)
			}
			return
		}
		ip, network, failed := net.ParseCIDR(trusted)
		if ip == nil && !strings.Contains(trusted, "/") {
			if ip = net.ParseIP(trusted); ip != nil {
				failed, network = nil, &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))}
			}
		}
		// Package net takes an IPv4 address in IPv6 for IPv4, and lets the number of bits begin with 0.
		_, bits, _ := strings.Cut(trusted, "/")
		refused := strings.Contains(trusted, ":") && ip.To4() != nil || len(bits) > 1 && bits[0] == '0'
		if (err == nil) != (ip != nil && failed == nil && !refused) {
			t.Errorf("%q: %v, and package net says %v, %v", trusted, err, ip, failed)
		}
		if err != nil {
			if !strings.Contains(err.Error(), "TrustedProxies") {
				t.Errorf("%q: %v", trusted, err)
			}
			return
		}
		for _, inside := range []net.IP{ip, network.IP} {
			addr, _ := netip.AddrFromSlice(inside)
			if !l.proxies.trusts(addr.Unmap()) {
				t.Errorf("%q does not trust %v", trusted, addr)
			}
		}
	})
}
