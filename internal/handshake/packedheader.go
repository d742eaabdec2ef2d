//go:build !js

package handshake

import (
	"net/http"
	"strings"
)

// PackedHeader is a header in one string, which takes a third of the memory. Few programs
// look at a connection's header, and there may be very many connections.
type PackedHeader string

// PackHeader packs header, except for the fields whose names skip reports; nil skips
// none.
func PackHeader(header http.Header, skip func(name string) bool) PackedHeader {
	var b strings.Builder
	for name, values := range header {
		if skip != nil && skip(name) {
			continue
		}
		for _, value := range values {
			// Neither has a line break in it: net/http refuses such a message.
			b.WriteString(name)
			b.WriteByte(':')
			b.WriteString(value)
			b.WriteByte('\n')
		}
	}
	return PackedHeader(strings.Clone(b.String()))
}

// Unpack returns a new header.
func (p PackedHeader) Unpack() http.Header {
	header := make(http.Header)
	for line := range strings.Lines(string(p)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		header[name] = append(header[name], value)
	}
	return header
}
