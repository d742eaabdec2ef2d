//go:build !js

package netconn

import (
	"net"

	"github.com/isosocket/isosocket/ws"
)

// addresses returns the addresses of the network connection, nil where they are not known.
func addresses(conn *ws.Conn) (local, remote net.Addr) {
	return conn.Native().LocalAddr(), conn.Native().RemoteAddr()
}
