//go:build !js

package handshake

import (
	"net/url"
	"testing"
)

func TestProxyAddr(t *testing.T) {
	t.Parallel()
	for proxy, want := range map[string]string{
		"http://proxy.example":      "proxy.example:80",
		"https://proxy.example":     "proxy.example:443",
		"http://proxy.example:3128": "proxy.example:3128",
		"https://[::1]":             "[::1]:443",
		"http://[::1]:3128":         "[::1]:3128",
	} {
		u, err := url.Parse(proxy)
		if err != nil {
			t.Fatal(err)
		}
		if got := ProxyAddr(u); got != want {
			t.Errorf("ProxyAddr(%s) = %s, want %s", proxy, got, want)
		}
	}
}
