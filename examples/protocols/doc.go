// Package protocols has no code of its own: its tests run net/rpc, yamux, ssh and gRPC over a
// WebSocket, with ws/netconn on both ends.
package protocols
