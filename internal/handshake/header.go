//go:build !js

package handshake

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/isosocket/isosocket/internal/subprotocol"
)

// RequestHeader checks the fields that a user adds to the handshake request, before any
// I/O. It returns them with canonical names, and separately the Host, "" if there is none.
func RequestHeader(fields map[string][]string) (header http.Header, host string, err error) {
	header = make(http.Header, len(fields)+8) // with space for the fields of the handshake
	for name, values := range fields {
		if !subprotocol.IsToken(name) {
			return nil, "", fmt.Errorf("websocket: the header field name %q is not a token (RFC 9110, section 5.1)", name)
		}
		canonical := http.CanonicalHeaderKey(name)
		if why := reserved(canonical); why != "" {
			return nil, "", fmt.Errorf("websocket: the header field %s may not be set: %s", canonical, why)
		}
		for _, value := range values {
			if i := strings.IndexFunc(value, isControl); i >= 0 {
				return nil, "", fmt.Errorf("websocket: the value of the header field %s has a control character at byte %d", canonical, i)
			}
		}
		if canonical != "Host" {
			header[canonical] = append(header[canonical], values...)
			continue
		}
		for _, value := range values {
			if host != "" {
				return nil, "", fmt.Errorf("websocket: the header field Host has more than one value")
			}
			if value == "" || strings.ContainsFunc(value, notOfHost) {
				return nil, "", fmt.Errorf("websocket: the value %q of the header field Host is not a host with an optional port", value)
			}
			host = value
		}
	}
	return header, host, nil
}

// notOfHost reports whether a Host cannot have r (RFC 3986, section 3.2.2). net/http would send an empty
// Host, or another one.
func notOfHost(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-._~!$&'()*+,;=%:[]", r)
}

// reserved returns why a user may not set a field, "" if it is allowed.
func reserved(canonical string) string {
	switch canonical {
	case "Connection", "Upgrade":
		return "the handshake sets it itself"
	case "Sec-Websocket-Protocol":
		return "use DialOptions.Subprotocols"
	case "Sec-Websocket-Extensions":
		return "use DialOptions.Compression"
	case "Content-Length", "Transfer-Encoding", "Trailer":
		return "a handshake request has no body"
	}
	if strings.HasPrefix(canonical, "Sec-Websocket-") {
		return "the handshake sets it itself"
	}
	return ""
}

// isControl reports whether r may not be in a field value (RFC 9110, section 5.5).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
