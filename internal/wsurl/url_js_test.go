package wsurl

import (
	"strings"
	"syscall/js"
	"testing"
)

// hrefOf returns the browser's serialization of url, "" if url is not valid.
func hrefOf(url string) string {
	parsed := js.Global().Get("URL").Call("parse", url)
	if parsed.IsNull() {
		return ""
	}
	return parsed.Get("href").String()
}

// Parse agrees with the browser's parser, and the browser does not change its result.
func TestParseURLAsTheBrowser(t *testing.T) {
	if js.Global().Get("URL").Get("parse").IsUndefined() {
		t.Skip("URL.parse does not exist")
	}
	for _, test := range validURLs {
		if got := hrefOf(test.want); got != test.want {
			t.Errorf("%s: the browser makes %s of %s", test.name, got, test.want)
		}
		got := hrefOf(test.url)
		for _, scheme := range []string{"http", "https"} {
			if rest, ok := strings.CutPrefix(got, scheme+":"); ok {
				got = strings.Replace(scheme, "http", "ws", 1) + ":" + rest
			}
		}
		// Browsers differ in paths.
		if test.name != "unwise characters" && got != test.want {
			t.Errorf("%s: the browser makes %s of %q, Parse %s", test.name, got, test.url, test.want)
		}
	}
	lenient := map[string]bool{ // in Chromium, against the Standard
		"a space in a host":          true,
		"a space in a host, encoded": true,
	}
	for _, test := range invalidURLs {
		if lenient[test.name] {
			continue
		}
		if got := hrefOf(test.url); got != "" {
			t.Errorf("%s: the browser makes %s of %q", test.name, got, test.url)
		}
	}
}
