// Command interop connects this library with other clients and servers, in both roles, and with itself
// through reverse proxies, and writes what works as a table:
//
//	go run ./interop -document ../docs/interop.md
//
// A peer echoes messages, and closes with a code and a reason when it is sent "close CODE REASON". Each
// column of the table is one or more connections; see visits. A cell that is not good must have its reason
// in faults.
//
// Peers in Go run in this process. scripts/interop.sh installs the others, and runs the command.
package main
