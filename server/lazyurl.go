//go:build !js

package server

import (
	"net/http"
	"net/url"
	"sync/atomic"
)

// lazyURL is the URL of a request. It is kept in the form of the request line and
// parsed by the first get, to save memory: few functions use the URL, and there
// may be very many connections.
type lazyURL struct {
	uri string // "" if it would not give the same URL again
	url atomic.Pointer[url.URL]
}

// set must be called before get.
func (l *lazyURL) set(r *http.Request) {
	u := r.URL
	if u.Scheme == "" && u.Host == "" && u.User == nil && u.Fragment == "" && u.RequestURI() == r.RequestURI {
		l.uri = r.RequestURI
	} else {
		l.url.Store(u)
	}
}

// get returns the same URL every time.
func (l *lazyURL) get() *url.URL {
	if u := l.url.Load(); u != nil {
		return u
	}
	u, err := url.ParseRequestURI(l.uri)
	if err != nil {
		u = new(url.URL) // net/http's URL is not reused
	}
	if !l.url.CompareAndSwap(nil, u) {
		return l.url.Load()
	}
	return u
}
