//go:build !js

package server

import (
	"net/http"
	"strings"
	"testing"
)

// authority returns the text in the place of an origin's host, without a port, with the
// simplest parser possible.
func authority(origin string) string {
	_, rest, _ := strings.Cut(strings.ToLower(origin), "://")
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		rest = rest[:i]
	}
	return strings.TrimSuffix(rest, ".")
}

// FuzzOrigin: for any origin of a page and any Host of the request, an origin is accepted
// only if it has the server's own host or one that the patterns name.
func FuzzOrigin(f *testing.F) {
	for _, origin := range []string{
		"https://a.friend.example", "https://friend.example", "http://example.com:80", "null", "", "https://evil.example/.friend.example",
		"https://evil.example#.friend.example", "https://evil.example\\.friend.example", "https://a.friend.example@evil.example",
		"https://a.friend.example.", "https://a.friend.example:443", "https://partner.example", "https://evilpartner.example", "file://", "https://[::1]",
		"https:evil.example#.friend.example",
	} {
		f.Add("example.com", origin)
	}
	patterns, err := compileOrigins([]string{"*.friend.example", "https://partner.example"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host, origin string) {
		r := &http.Request{Host: host, Header: http.Header{"Origin": {origin}}}
		_, err := checkOrigin(r, patterns)
		if err != nil {
			if failed, ok := err.(*originError); ok {
				_ = failed.advice()
			}
			return
		}
		got := authority(origin)
		own := authority("x://" + host)
		switch {
		case got == own, got == "partner.example" && strings.HasPrefix(strings.ToLower(origin), "https:"), strings.HasSuffix(got, ".friend.example"):
		default:
			t.Errorf("the origin %q, of the host %q, is accepted for the host %q", origin, got, host)
		}
	})
}

// FuzzOriginPatterns: a pattern is an error or compiles to one that path.Match accepts. A
// pattern without wildcards accepts only the host that it names.
func FuzzOriginPatterns(f *testing.F) {
	for _, pattern := range []string{"example.com", "*.example.com", "https://example.com:443/", "[::1]:*", "b\u00fccher.example", "[a-z].example", "*", "a\\.b", "null"} {
		f.Add(pattern, "https://example.com")
	}
	f.Fuzz(func(t *testing.T, pattern, origin string) {
		compiled, err := compileOrigin(pattern)
		if err != nil {
			return
		}
		host, full, ok := splitOrigin(origin)
		if !allows(compiled, host, full) || !ok || strings.ContainsAny(pattern, `*?[]\`) || !isASCII(pattern) {
			return
		}
		if named := authority("x://" + pattern[strings.LastIndex(pattern, "://")+1:]); !strings.Contains(pattern, "://") && authority(origin) != named {
			t.Errorf("the pattern %q, of the host %q, accepts %q", pattern, named, origin)
		}
	})
}

// TestOriginsWithoutAHost: no pattern for hosts accepts an origin without a host.
func TestOriginsWithoutAHost(t *testing.T) {
	t.Parallel()
	patterns, err := compileOrigins([]string{"*.friend.example", "https://*.partner.example"})
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{
		"null", "", "a.friend.example", "//a.friend.example", "https:evil.example#.friend.example", "https:evil.example.friend.example", `https://evil.example\.friend.example`,
		`https://evil.example\.partner.example`, "https:///.friend.example", "https://%zz.friend.example", "https://evil.example:x.partner.example",
	} {
		r := &http.Request{Host: "example.com", Header: http.Header{"Origin": {origin}}}
		if _, err := checkOrigin(r, patterns); err == nil {
			t.Errorf("the origin %q is accepted", origin)
		}
	}
}
