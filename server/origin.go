//go:build !js

package server

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/isosocket/isosocket/errors"
)

// checkOrigin returns the request's origin, "" if it has none. err says why pages
// of that origin may not connect (RFC 6455, section 10.2). patterns come from
// compileOrigins.
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
	if ok && host == withoutDefaultPort(withoutFinalDot(strings.ToLower(r.Host)), full) {
		return origin, nil
	}
	for _, pattern := range patterns {
		if allows(pattern, host, full) {
			return origin, nil
		}
	}
	refused := &originError{origin: origin, host: r.Host}
	if ok {
		refused.pattern = full
	}
	return origin, refused
}

// originError is a refusal of pages of an origin.
type originError struct {
	origin, host string
	pattern      string // allows this origin alone; "" if there is none
}

func (e *originError) Error() string {
	return fmt.Sprintf("pages of the origin %q may not connect to this server", e.origin)
}

// advice returns text for a developer: the values that were compared, and the pattern that
// would allow the origin. It never advises to allow the origin "null", which every
// sandboxed page and every local file has.
func (e *originError) advice() string {
	compared := fmt.Sprintf("The origin was compared with the request's Host, %q, and with Options.OriginPatterns. ", e.host)
	if e.pattern == "" {
		return compared + "It names no host that a pattern could allow: serve the page over http or https, and not in a sandbox."
	}
	return compared + fmt.Sprintf("Add the pattern %q to allow it; behind a proxy that rewrites Host, make the proxy pass the original one.", e.pattern)
}

// splitOrigin returns the host with its port, and the whole in lower case. ok
// is false if there is no scheme or no host: the origin "null" of a sandboxed page, say.
func splitOrigin(origin string) (host, full string, ok bool) {
	full = strings.ToLower(origin)
	u, err := url.Parse(full)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return "", full, false
	}
	host = withoutDefaultPort(withoutFinalDot(u.Host), full)
	return host, u.Scheme + "://" + host, true
}

// withoutFinalDot cuts the dot with which a fully qualified name may end.
func withoutFinalDot(host string) string {
	if name, port, ok := strings.Cut(host, ".:"); ok {
		return name + ":" + port
	}
	return strings.TrimSuffix(host, ".")
}

// withoutDefaultPort cuts the port that the scheme of origin implies. Browsers
// leave it out, others may not.
func withoutDefaultPort(host, origin string) string {
	return strings.TrimSuffix(host, defaultPort(origin))
}

func defaultPort(origin string) string {
	if strings.HasPrefix(origin, "https:") {
		return ":443"
	}
	return ":80"
}

// allows matches one compiled pattern. One without a scheme may name the port
// that the origin's scheme implies.
func allows(pattern, host, full string) bool {
	if pattern == "*" {
		return true
	}
	if host == "" {
		// The only origin without a host that browsers send is "null". It must not match a
		// wildcard for hosts.
		return pattern == full
	}
	if strings.Contains(pattern, "://") {
		ok, _ := path.Match(pattern, full)
		return ok
	}
	ok, _ := path.Match(pattern, host)
	if !ok {
		ok, _ = path.Match(pattern, host+defaultPort(full))
	}
	return ok
}

// compileOrigins returns patterns as origins are written: in lower case, with
// the brackets of IPv6 addresses as such, international names in their ASCII
// form, and without default ports, a final slash and a final dot. A pattern that
// could never match is an error.
func compileOrigins(patterns []string) ([]string, error) {
	compiled := make([]string, len(patterns))
	for i, p := range patterns {
		c, err := compileOrigin(p)
		if err != nil {
			return nil, fmt.Errorf("websocket: OriginPatterns has %q, %w", p, err)
		}
		compiled[i] = c
	}
	return compiled, nil
}

func compileOrigin(pattern string) (string, error) {
	scheme, host, hasScheme := strings.Cut(strings.ToLower(pattern), "://")
	if !hasScheme {
		scheme, host = "", scheme
	}
	host = strings.TrimSuffix(host, "/")
	switch {
	case host == "":
		return "", errors.New("which is not a pattern of path.Match for a host; \"*\" allows every origin")
	case strings.ContainsAny(host, "/@ #"):
		return "", errors.New("which has more than a scheme, a host and a port: write \"example.com\" or \"https://example.com:8443\"")
	case scheme == "ws" || scheme == "wss":
		return "", fmt.Errorf("whose scheme is that of a WebSocket URL; the origin of a page has http or https: write %q", "http"+strings.TrimPrefix(scheme, "ws")+"://"+host)
	}
	if strings.HasPrefix(host, "[") && strings.Contains(host, ":") { // an IPv6 address, and no class of characters
		host = strings.NewReplacer("[", `\[`, "]", `\]`).Replace(host)
	} else {
		name, port, hasPort := strings.Cut(host, ":")
		labels := strings.Split(strings.TrimSuffix(name, "."), ".")
		for i, label := range labels {
			if isASCII(label) {
				continue
			}
			ascii, err := idna.Lookup.ToASCII(label)
			if err != nil {
				return "", errors.New("whose international name has no ASCII form: write it with xn--, without wildcards in that part")
			}
			labels[i] = ascii
		}
		if host = strings.Join(labels, "."); hasPort {
			host += ":" + port
		}
	}
	if hasScheme {
		if scheme == "http" || scheme == "https" {
			host = withoutDefaultPort(host, scheme+":")
		}
		host = scheme + "://" + host
	}
	if _, err := path.Match(host, ""); err != nil {
		return "", errors.New("which is not a pattern of path.Match")
	}
	return host, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
