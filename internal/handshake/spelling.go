//go:build !js

package handshake

import (
	"maps"
	"net/http"
	"strings"
)

// Spelled returns a copy of header in which the fields of the handshake are
// spelled as in RFC 6455, section 11.3. net/http's canonical form differs
// ("Sec-Websocket-Key"), and some peers and proxies compare names case-sensitively.
// The values are shared with header.
func Spelled(header http.Header) http.Header {
	const canonical = "Sec-Websocket-"
	spelled := maps.Clone(header)
	for name, values := range header {
		if rest, ok := strings.CutPrefix(name, canonical); ok {
			delete(spelled, name)
			spelled["Sec-WebSocket-"+rest] = values
		}
	}
	return spelled
}
