//go:build !js

// Package h2client is a client of HTTP/2 that opens WebSocket connections by extended CONNECT
// (RFC 8441), for tests and measurements. net/http has no such client, and so Dial of the root
// package uses HTTP/1.1.
package h2client
