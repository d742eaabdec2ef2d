//go:build !js

// Package parity starts the test server of the conformance suite, with this library's own server
// for the /library/ endpoints, and prints the results of two targets side by side.
package parity

import (
	"net/http"

	"github.com/isosocket/isosocket/server"
	"github.com/isosocket/isosocket/ws/wstest/peer"
)

// StartServer starts the test server with this library's server as the one
// under test. Every origin is allowed.
func StartServer() (*peer.Server, error) {
	return peer.Start(&peer.Config{Accept: accept})
}

func accept(w http.ResponseWriter, r *http.Request, a peer.Acceptance) (peer.Conn, error) {
	conn, err := server.Accept(w, r, options(a))
	if err != nil {
		return nil, err // not a nil *server.Conn in a Conn
	}
	return conn, nil
}

func options(a peer.Acceptance) *server.Options {
	return &server.Options{
		OriginPatterns:    []string{"*"},
		Subprotocols:      a.Subprotocols,
		ChooseSubprotocol: a.ChooseSubprotocol,
		MaxMessageSize:    a.MaxMessageSize,
		PingInterval:      a.PingInterval,
		PingTimeout:       a.PingTimeout,
		Compression:       a.Compression,
	}
}
