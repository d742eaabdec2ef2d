//go:build !js

// Command herd stops a server of a thousand connected clients, starts it again, and draws when
// the clients tried to reconnect:
//
//	go run ./internal/testing/herd -svg docs/herd.svg
//
// It uses TCP on the loopback interface, this library's server, and clients with default
// options. It prints a histogram, and exits with status 1 if more than a tenth of the clients
// made an attempt within 100 ms, or if not all reconnected. On a busy machine, the single
// process of the thousand clients may be paused, which delays all clients together; herd reports
// that.
package main
