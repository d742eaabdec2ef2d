//go:build !js

// Command soak keeps thousands of connections busy for minutes, and fails if a message is lost,
// doubled, reordered or changed without a report, if a connection ends for another reason than
// it should, or if memory, goroutines or descriptors grow:
//
//	go run ./internal/testing/soak -clients 10000 -time 10m -write docs
//
// The server is another process of the same program, so that each process is measured by itself.
// The clients are of five kinds:
//
//	steady    echoes of messages from 1 byte to 1 MiB, with and without compression
//	churning  connects, closes or is closed with one of several reasons, and connects again
//	faulty    an isosocket.Client, with Outbox, Heartbeat and OnLost, behind proxies that fail
//	slow      reads much more slowly than the server sends
//	dying     a raw TCP peer that stops anywhere in a handshake or a frame
//
// Every few seconds both processes are measured. After a warm-up, the line through the measured
// values is judged by package trend. With -write, the run draws a chart and fills in the table of
// docs/reliability.md.
//
// It needs Linux, whose /proc tells the memory and the descriptors of a process.
package main
