//go:build !js

package server

import (
	"net/http"
	"strings"
)

// packedHeader is a header in one string, which takes a third of the memory. Few
// functions use the header, and there may be very many connections.
type packedHeader string

// packHeader omits the fields that only the handshake needed.
func packHeader(header http.Header) packedHeader {
	var b strings.Builder
	for name, values := range header {
		if name == "Connection" || name == "Upgrade" || strings.HasPrefix(name, "Sec-Websocket-") {
			continue
		}
		for _, value := range values {
			// Neither has a line break in it: net/http refuses such a request.
			b.WriteString(name)
			b.WriteByte(':')
			b.WriteString(value)
			b.WriteByte('\n')
		}
	}
	return packedHeader(strings.Clone(b.String()))
}

func (p packedHeader) unpack() http.Header {
	header := make(http.Header)
	for line := range strings.Lines(string(p)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		header[name] = append(header[name], value)
	}
	return header
}
