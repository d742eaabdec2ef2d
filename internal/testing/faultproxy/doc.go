//go:build !js

// Package faultproxy forwards TCP connections and, on demand, causes the faults
// of networks: it delays, swallows, resets, half-closes, refuses, and accepts
// without ever answering.
//
//	proxy, err := faultproxy.Start(serverAddress)
//	…
//	proxy.Set(faultproxy.Blackhole, 0)
//	proxy.Set(faultproxy.Pass, 20*time.Millisecond)
//
// It is for this module's own tests, on native targets only.
package faultproxy
