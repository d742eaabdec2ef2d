//go:build !js

package driver

import (
	"crypto/tls"
	"net"
	"net/http"
)

// Addresser may be implemented by a [Transport] over a network connection. Native targets
// only, like everything in this file.
type Addresser interface {
	// LocalAddr returns the address of this side, nil if it is not known.
	LocalAddr() net.Addr
	// RemoteAddr returns the address of the peer, nil if it is not known.
	RemoteAddr() net.Addr
}

// TLSReporter may be implemented by a [Transport] over TLS.
type TLSReporter interface {
	// TLS returns the state of the TLS connection, nil if there is none.
	TLS() *tls.ConnectionState
}

// Responder may be implemented by the [Transport] of a client.
type Responder interface {
	// Response returns the response of the handshake. The caller may change it.
	Response() *http.Response
}
