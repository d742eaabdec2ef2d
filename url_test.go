package isosocket

import (
	"strings"
	"testing"

	"github.com/isosocket/isosocket/errors"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, url string
		want      string // of the result, or part of the error if that is so
		fails     bool
	}{
		{"ws", "ws://example.com/chat", "ws://example.com/chat", false},
		{"wss", "wss://example.com", "wss://example.com", false},
		{"http", "http://example.com/", "ws://example.com/", false},
		{"https", "https://example.com/", "wss://example.com/", false},
		{"a scheme in capitals", "WSS://example.com/", "wss://example.com/", false},
		{"a query", "ws://example.com/?a=1&b=%20", "ws://example.com/?a=1&b=%20", false},
		{"a query without a path", "ws://example.com?a=/", "ws://example.com?a=/", false},
		{"a port", "ws://example.com:8080/", "ws://example.com:8080/", false},
		{"an empty port", "ws://example.com:/", "ws://example.com:/", false},
		{"the highest port", "ws://example.com:65535/", "ws://example.com:65535/", false},
		{"a port with zeros in front", "ws://example.com:0080/", "ws://example.com:0080/", false},
		{"IPv6", "ws://[::1]/", "ws://[::1]/", false},
		{"IPv6 with a port", "ws://[2001:db8::1]:443/", "ws://[2001:db8::1]:443/", false},
		{"a user", "ws://ann:secret@example.com/", "ws://ann:secret@example.com/", false},
		{"percent-encoding", "ws://example.com/%e2%82%ac", "ws://example.com/%e2%82%ac", false},
		{"empty", "", "it is empty", true},
		{"no scheme", "example.com/chat", "not absolute", true},
		{"no slashes", "ws:example.com", "not absolute", true},
		{"a path", "/chat", "not absolute", true},
		{"another scheme", "ftp://example.com/", `"ftp"`, true},
		{"a fragment", "ws://example.com/#top", "fragment", true},
		{"an empty fragment", "ws://example.com/#", "fragment", true},
		{"no host", "ws:///chat", "no host", true},
		{"a port and no host", "ws://:80/", "no host", true},
		{"a user and no host", "ws://ann@/", "no host", true},
		{"IPv6 without an address", "ws://[]/", "no host", true},
		{"IPv6 that does not end", "ws://[::1/", "no closing ]", true},
		{"something behind IPv6", "ws://[::1]x/", "follows the host's ]", true},
		{"a port that is no number", "ws://example.com:http/", `"http"`, true},
		{"port 0", "ws://example.com:0/", `"0"`, true},
		{"a port too high", "ws://example.com:65536/", `"65536"`, true},
		{"a port far too high", "ws://example.com:18446744073709551696/", `"18446744073709551696"`, true},
		{"a port with a sign", "ws://example.com:+80/", `"+80"`, true},
		{"a space", "ws://example.com/a b", "space or control character at byte 18", true},
		{"a line break", "ws://example.com/\r\nX: y", "space or control character", true},
		{"a broken percent-encoding", "ws://example.com/%e", "hexadecimal", true},
		{"a percent-encoding that is none", "ws://example.com/%zz", "hexadecimal", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseURL(test.url)
			switch {
			case !test.fails && (err != nil || got != test.want):
				t.Errorf("parseURL = %q, %v, want %q", got, err, test.want)
			case test.fails && (!errors.Is(err, errors.ErrInvalidURL) || !errors.Is(err, errors.ErrWebSocket) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("parseURL = %q, %v, want an ErrInvalidURL with %s in it", got, err, test.want)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"ws://ann:secret@example.com/a:b@c": "ws://ann:xxxxx@example.com/a:b@c",
		"ws://ann@example.com/":             "ws://ann@example.com/",
		"ws://example.com/?mail=a:b@c":      "ws://example.com/?mail=a:b@c",
		"nonsense":                          "nonsense",
	} {
		if got := redact(url); got != want {
			t.Errorf("redact(%q) = %q, want %q", url, got, want)
		}
	}
}

// FuzzParseURL holds what is accepted against the promise of its form.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"ws://example.com/", "https://a:b@[::1]:1/?#", "wss://%zz", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		got, err := parseURL(url)
		if err != nil {
			if !errors.Is(err, errors.ErrInvalidURL) {
				t.Errorf("parseURL(%q) = %v", url, err)
			}
			return
		}
		if !strings.HasPrefix(got, "ws://") && !strings.HasPrefix(got, "wss://") || strings.ContainsAny(got, "# \r\n") {
			t.Errorf("parseURL(%q) = %q", url, got)
		}
		if again, err := parseURL(got); err != nil || again != got {
			t.Errorf("parseURL(%q) = %q, whose own parseURL is %q, %v", url, got, again, err)
		}
		redact(url)
	})
}
