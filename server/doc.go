// Package server accepts WebSocket connections on native targets.
package server
