//go:build !js

// Package storm is the server for tests of reconnecting clients, natively and in a browser: an
// echo server behind a proxy. The client selects the proxy's faults, and the server records the
// messages that arrive.
//
// Endpoints behind the proxy, at [Server.URL]:
//
//	/echo?client=ID    echoes every message, and records those of each connection
//
// Endpoints without the proxy, at [Server.Direct]:
//
//	/control           answers each text message:
//	                   "fault NAME LATENCY" begins a fault; the answer is "ok"
//	                   "arrived ID" is answered with the messages that arrived, a JSON
//	                   array of arrays: one a connection, in the order of the connections
//	                   anything else with an error
//	/mirror            echoes every message, until one is "leave": then it closes with 1001
//	/leave             closes each connection with 1001 after its first message
//	/expire?client=ID  as /leave, but refuses the second connection with 401
package storm
