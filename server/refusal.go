//go:build !js

package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/rfc6455"
)

// refusal is an answer other than 101: its status, and a sentence for the client.
type refusal struct {
	status   int
	sentence string
	header   map[string][]string
	probed   bool  // answers a probe, not a handshake
	err      error // for this side only, nil if sentence is complete
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, sentence: fmt.Sprintf(format, args...)}
}

// misconfigured hides from the client an error that only this side can fix.
func misconfigured(err error) *refusal {
	return &refusal{
		status:   http.StatusInternalServerError,
		sentence: "This WebSocket endpoint is misconfigured. Its log says more.",
		err:      err,
	}
}

// refuseOrigin refuses a page. A developer on the same machine gets advice on how
// to allow it; a client that comes through a proxy on that machine does not.
func refuseOrigin(r *http.Request, err error) *refusal {
	f := refuse(http.StatusForbidden, "%s%s.", strings.ToUpper(err.Error()[:1]), err.Error()[1:])
	if refused, ok := errors.AsType[*originError](err); ok {
		f.err = err
		if isLocal(r) {
			f.sentence += " " + refused.advice()
		}
	}
	return f
}

// retryAfter tells the client when to try again, rounded up to seconds, unless wait is 0 or
// less.
func (f *refusal) retryAfter(wait time.Duration) {
	if wait > 0 {
		seconds := (wait + time.Second - 1) / time.Second
		f.header = map[string][]string{"Retry-After": {strconv.FormatInt(int64(seconds), 10)}}
	}
}

// isLocal reports whether r comes from this machine, and was not forwarded.
func isLocal(r *http.Request) bool {
	if wasForwarded(r) {
		return false
	}
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && addr.Addr().IsLoopback()
}

// wasForwarded reports whether a proxy has forwarded r, or r says so.
func wasForwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}

// answer writes the refusal and returns it as an error. allowedOrigin is the
// request's origin if its pages may connect, else "".
func (f *refusal) answer(w http.ResponseWriter, r *http.Request, allowedOrigin string) error {
	header := w.Header()
	for name, values := range f.header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	switch f.status {
	case http.StatusUpgradeRequired:
		// RFC 9110, section 15.5.22, and RFC 6455, section 4.4. HTTP/2 has no Upgrade.
		if r.ProtoMajor == 1 {
			header.Set("Connection", "Upgrade")
			header.Set("Upgrade", "websocket")
		}
		header["Sec-WebSocket-Version"] = []string{"13"} // Set would change the spelling
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodGet)
	}
	// A browser does not show a page why a handshake failed. A page that may connect
	// may also ask for the status with fetch.
	header.Add("Vary", "Origin")
	if allowedOrigin != "" {
		header.Set("Access-Control-Allow-Origin", allowedOrigin)
		header.Set("Access-Control-Allow-Credentials", "true")
		header.Add("Access-Control-Expose-Headers", "Retry-After")
	}
	header.Set("Cache-Control", "no-store")
	// net/http would first wait for a body. Also, a proxy that saw the request for an
	// upgrade may forward the bytes that follow without a check, as the upgraded
	// protocol: a second request among them must not be answered.
	if r.ProtoMajor == 1 && (r.ContentLength != 0 || wantsUpgrade(r)) {
		// First, because net/http looks for it there.
		header["Connection"] = append([]string{"close"}, header["Connection"]...)
	}
	if f.probed {
		writeProbed(w, f.status, f.sentence)
	} else {
		http.Error(w, f.sentence, f.status)
	}

	err := f.err
	if err == nil {
		err = errors.New(f.sentence)
	}
	return &errors.ConnectionError{StatusCode: f.status, URL: requestURL(r), Err: err}
}

// wantsUpgrade reports whether any proxy could take r for a handshake.
func wantsUpgrade(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || len(r.Header["Sec-Websocket-Key"]) > 0 || hasToken(r.Header["Connection"], "upgrade")
}

// requestURL returns the URL that the client dialed, as far as it is known, without the
// query, which may hold a secret.
func requestURL(r *http.Request) string {
	scheme := "ws://"
	if r.TLS != nil {
		scheme = "wss://"
	}
	return scheme + r.Host + r.URL.EscapedPath()
}

// droppedByProxy returns the part of a handshake that a proxy has dropped, if the key is
// still there. It returns "" if none is missing.
func droppedByProxy(r *http.Request) string {
	switch {
	case r.ProtoMajor != 1 || len(r.Header["Sec-Websocket-Key"]) == 0:
		return ""
	case len(r.Header["Upgrade"]) == 0:
		return "arrived in " + r.Proto + " and lacks the header Upgrade: websocket: a proxy in between has dropped it"
	case !hasToken(r.Header["Connection"], "upgrade"):
		return "arrived in " + r.Proto + " and lacks the header Connection: Upgrade: a proxy in between has dropped it"
	case r.ProtoMinor < 1:
		return "arrived in " + r.Proto + ", not in HTTP/1.1: a proxy in between has changed that"
	}
	return ""
}

// droppedError is the error of a handshake from which a proxy has dropped a part.
type droppedError struct{ text string }

func (e *droppedError) Error() string { return e.text }

// check checks a request against RFC 6455, section 4.2.1.
func check(r *http.Request) *refusal {
	header := r.Header
	dropped := droppedByProxy(r)
	switch {
	case isExtended(r):
		return checkExtended(r)
	case r.Method == http.MethodConnect && r.ProtoMajor > 2:
		return refuse(http.StatusNotImplemented, "WebSocket over HTTP/%d is not supported; connect with HTTP/1.1.", r.ProtoMajor)
	case r.Method != http.MethodGet:
		return refuse(http.StatusMethodNotAllowed, "This is a WebSocket endpoint: the method must be GET, not %s.", r.Method)
	case dropped != "":
		f := refuse(http.StatusUpgradeRequired, "The WebSocket handshake %s. "+
			"nginx needs the lines: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; proxy_set_header Host $http_host;",
			dropped)
		f.err = &droppedError{f.sentence}
		return f
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return refuse(http.StatusUpgradeRequired, "This is a WebSocket endpoint: it needs a handshake in HTTP/1.1, not in %s.", r.Proto)
	case !hasToken(header["Connection"], "upgrade") && !hasToken(header["Upgrade"], "websocket"):
		return refuse(http.StatusUpgradeRequired, "This is a WebSocket endpoint: connect with a WebSocket client.")
	case !hasToken(header["Connection"], "upgrade"):
		return refuse(http.StatusUpgradeRequired, "The WebSocket handshake lacks the header Connection: Upgrade. A proxy in between may have dropped it.")
	case !hasToken(header["Upgrade"], "websocket"):
		return refuse(http.StatusUpgradeRequired, "The WebSocket handshake lacks the header Upgrade: websocket. A proxy in between may have dropped it.")
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return refuse(http.StatusBadRequest, "A WebSocket handshake has no body.")
	}
	if f := checkVersion(header); f != nil {
		return f
	}
	switch keys := header["Sec-Websocket-Key"]; {
	case len(keys) == 0:
		return refuse(http.StatusBadRequest, "The WebSocket handshake lacks the header Sec-WebSocket-Key.")
	case len(keys) > 1:
		return refuse(http.StatusBadRequest, "The WebSocket handshake has %d headers Sec-WebSocket-Key; one is allowed.", len(keys))
	case !isKey(keys[0]):
		return refuse(http.StatusBadRequest, "The Sec-WebSocket-Key %q of the WebSocket handshake is not 16 bytes in base64.", keys[0])
	}
	return checkExtensions(header)
}

// checkVersion checks the version of the protocol (RFC 6455, section 4.2.1).
func checkVersion(header http.Header) *refusal {
	switch versions := header["Sec-Websocket-Version"]; {
	case len(versions) == 0:
		return refuse(http.StatusUpgradeRequired, "The WebSocket handshake lacks the header Sec-WebSocket-Version: 13.")
	case len(versions) > 1 || versions[0] != "13":
		return refuse(http.StatusUpgradeRequired, "The WebSocket handshake asks for the version %q; only 13 is supported.", versions)
	}
	return nil
}

// checkExtensions checks the grammar of the offered extensions.
func checkExtensions(header http.Header) *refusal {
	if err := rfc6455.CheckExtensions(header["Sec-Websocket-Extensions"]); err != nil {
		return refuse(http.StatusBadRequest, "The Sec-WebSocket-Extensions of the WebSocket handshake cannot be read: %v.", err)
	}
	return nil
}
