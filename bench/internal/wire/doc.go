// Package wire speaks just enough WebSocket by hand to put any library under
// load and to be put under load by it: handshakes with one fixed key, frames
// built beforehand, and a scanner that counts messages by their headers alone.
// It uses no WebSocket library, so that no library is measured against itself.
package wire
