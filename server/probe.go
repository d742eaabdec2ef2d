//go:build !js

package server

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/isosocket/isosocket/internal/subprotocol"
)

// handshakeType in the Accept field of a GET asks how a handshake would be
// answered. As Content-Type it marks the answer to this question.
//
// A browser hides from a page why a handshake failed, so this library's client
// asks with fetch. Any other answer to a plain GET says nothing about
// handshakes; the mark tells the client that this one does. The field needs no
// CORS preflight, and its parameters named p are the subprotocols that the
// handshake offered.
const handshakeType = "application/vnd.isosocket.handshake"

// probed returns the subprotocols that a probe names. ok is false if r is not a
// probe.
func probed(r *http.Request) (subprotocols []string, ok bool) {
	if r.Method != http.MethodGet || len(r.Header["Upgrade"]) > 0 {
		return nil, false
	}
	accept := r.Header["Accept"]
	if len(accept) != 1 {
		return nil, false
	}
	kind, parameters, _ := strings.Cut(accept[0], ";")
	if kind != handshakeType {
		return nil, false
	}
	for parameters != "" {
		var p string
		p, parameters, _ = strings.Cut(parameters, ";")
		if name, found := strings.CutPrefix(p, "p="); found && subprotocol.IsToken(name) {
			subprotocols = append(subprotocols, name)
		}
	}
	return subprotocols, true
}

// asHandshake returns a copy of a probe with the header field in which a
// handshake offers its subprotocols.
func asHandshake(r *http.Request, subprotocols []string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Del("Accept")
	if len(subprotocols) > 0 {
		r.Header["Sec-Websocket-Protocol"] = []string{strings.Join(subprotocols, ", ")}
	}
	return r
}

// writeProbed answers a probe. It must not make the browser show a login dialog.
func writeProbed(w http.ResponseWriter, status int, sentence string) {
	w.Header().Del("WWW-Authenticate")
	w.Header().Set("Content-Type", mime.FormatMediaType(handshakeType, map[string]string{"charset": "utf-8"}))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	io.WriteString(w, sentence+"\n")
}

// canHijack reports whether [http.ResponseController] will find a Hijacker.
func canHijack(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}
