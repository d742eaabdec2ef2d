// Command autobahn is this library's part in a run of the Autobahn|Testsuite: an echo server for its
// fuzzing client, an echo client for its fuzzing server, and the comparison of its reports with
// docs/autobahn.json. scripts/autobahn.sh runs them.
//
//	autobahn server -addr 127.0.0.1:9002
//	autobahn client -url ws://127.0.0.1:9001
//	autobahn compare [-write] [-part] EXPECTED ROLE=REPORT...
//
// The tests of this package have the suite's cases as a table of facts, what is sent and what must come,
// and play them against a server and a client of this library without the suite.
package main
