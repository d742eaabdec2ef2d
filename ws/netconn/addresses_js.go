package netconn

import (
	"net"

	"github.com/isosocket/isosocket/ws"
)

// addresses returns nil: a browser does not expose the addresses.
func addresses(*ws.Conn) (local, remote net.Addr) { return nil, nil }
