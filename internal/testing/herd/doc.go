//go:build !js

// Command herd takes a server away from a thousand connected clients, brings
// it back, and draws when they tried to come back:
//
//	go run ./internal/testing/herd -svg docs/herd.svg
//
// Everything is real: TCP on the loopback, this library's server and clients
// with default options. It prints a histogram, and exits with status 1 when more
// than a tenth of the clients made an attempt within 100 ms, or not all came
// back. On a machine that is busy with other things the thousand clients, which are
// one process here, may stand still together; it says so then.
package main
