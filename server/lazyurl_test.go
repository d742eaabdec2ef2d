//go:build !js

package server

import (
	"bufio"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestLazyURL(t *testing.T) {
	t.Parallel()
	for uri, kept := range map[string]bool{
		"/":                       true,
		"/?":                      true,
		"/chat?room=a%20b&x=":     true,
		"/a%2Fb/%c3%a4":           true,
		"/b|c":                    false, // is formatted differently
		"//example.com/x":         true,
		"///":                     true,
		"http://example.com/x?y":  false,
		"http://u:p@example.com/": false,
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + uri + " HTTP/1.1\r\nHost: example.com\r\n\r\n")))
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		var l lazyURL
		l.set(r)
		if l.uri != "" != kept {
			t.Errorf("%s: kept as text: %v, want %v", uri, l.uri != "", kept)
		}
		got := l.get()
		if !reflect.DeepEqual(got, r.URL) {
			t.Errorf("%s: URL = %#v, want %#v", uri, got, r.URL)
		}
		if l.get() != got {
			t.Errorf("%s: another URL the second time", uri)
		}
	}
}

func TestLazyURLBehindAMiddleware(t *testing.T) {
	t.Parallel()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET /api/chat HTTP/1.1\r\nHost: example.com\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	http.StripPrefix("/api", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var l lazyURL
		l.set(r)
		if got := l.get(); got.Path != "/chat" {
			t.Errorf("Path = %q, want /chat", got.Path)
		}
	})).ServeHTTP(nil, r)
}
