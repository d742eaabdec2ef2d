//go:build !js

// Package faultproxy forwards TCP connections and simulates network faults: it delays or
// discards data, resets, half-closes or refuses connections, or accepts them without an answer.
//
//	proxy, err := faultproxy.Start(serverAddress)
//	…
//	proxy.Set(faultproxy.Blackhole, 0)
//	proxy.Set(faultproxy.Pass, 20*time.Millisecond)
//
// It is for this module's own tests, on native targets only.
package faultproxy
