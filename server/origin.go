//go:build !js

package server

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// checkOrigin returns the request's origin, "" if it names none, and why pages
// of that origin may not connect (RFC 6455, section 10.2).
func checkOrigin(r *http.Request, patterns []string) (origin string, err error) {
	values := r.Header["Origin"]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", fmt.Errorf("the request has %d Origin headers; one is allowed", len(values))
	}
	origin = values[0]
	host, full, ok := splitOrigin(origin)
	if ok && strings.EqualFold(host, withoutDefaultPort(r.Host, full)) {
		return origin, nil
	}
	for _, pattern := range patterns {
		if allows(pattern, host, full) {
			return origin, nil
		}
	}
	return origin, fmt.Errorf("pages of the origin %q may not connect to this server", origin)
}

// splitOrigin returns the host with its port, and the whole in lower case. ok
// is false if there is no host: the origin "null" of a sandboxed page, say.
func splitOrigin(origin string) (host, full string, ok bool) {
	full = strings.ToLower(origin)
	u, err := url.Parse(full)
	if err != nil || u.Host == "" {
		return "", full, false
	}
	host = withoutDefaultPort(u.Host, full)
	return host, u.Scheme + "://" + host, true
}

// withoutDefaultPort cuts the port that the scheme of origin implies. Browsers
// leave it out, others may not.
func withoutDefaultPort(host, origin string) string {
	if strings.HasPrefix(origin, "https:") {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// allows matches one valid pattern.
func allows(pattern, host, full string) bool {
	if pattern == "*" {
		return true
	}
	pattern = strings.ToLower(pattern)
	against := host
	if strings.Contains(pattern, "://") || host == "" {
		against = full
	}
	ok, _ := path.Match(pattern, against)
	return ok
}

// checkOriginPatterns finds the pattern that could never match.
func checkOriginPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return fmt.Errorf("websocket: OriginPatterns has %q, which is not a pattern of path.Match", p)
		}
	}
	return nil
}
