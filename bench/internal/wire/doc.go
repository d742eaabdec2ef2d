// Package wire implements the small part of WebSocket that a load needs: handshakes with one
// fixed key, prebuilt frames, and a scanner that counts messages by their headers alone. It uses
// no WebSocket library, so no library is measured against itself.
package wire
