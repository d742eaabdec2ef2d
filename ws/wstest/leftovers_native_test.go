//go:build !js

package wstest_test

import (
	"net"
	"testing"
)

var leftovers = []leftover{
	{"a socket", func(t *testing.T) { dialSocket(t) }, " was left open"},
	{"a socket that is closed", func(t *testing.T) { dialSocket(t).Close() }, ""},
}

// dialSocket dials a listener that lives as long as t.
func dialSocket(t *testing.T) net.Conn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	conn, err := dialled.dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
