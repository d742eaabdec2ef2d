//go:build !js

package server

import (
	"net/http"
	"time"
)

// refusedFor is the Retry-After of a refusal because of too many connections.
const refusedFor = 5 * time.Second

// refuseConnection refuses a request because of LimitConnections.
func (e *Endpoint) refuseConnection(r *http.Request) *refusal {
	e.limitStruck(LimitConnections, nil, r.RemoteAddr, r.URL.Path)
	f := refuse(http.StatusServiceUnavailable, "This WebSocket endpoint has too many connections.")
	f.retryAfter(refusedFor)
	return f
}

// refuseMemory refuses a request because of LimitMemory.
func (e *Endpoint) refuseMemory(r *http.Request) *refusal {
	e.limitStruck(LimitMemory, nil, r.RemoteAddr, r.URL.Path)
	f := refuse(http.StatusServiceUnavailable, "This WebSocket endpoint has no memory left.")
	f.retryAfter(refusedFor)
	return f
}

// refuseAddress refuses a request because of a limit for each address.
func (e *Endpoint) refuseAddress(r *http.Request, limit Limit, wait time.Duration) *refusal {
	e.limitStruck(limit, nil, r.RemoteAddr, r.URL.Path)
	what := "connections"
	if limit == LimitHandshakeRate {
		what = "requests"
	}
	f := refuse(http.StatusTooManyRequests, "There are too many %s from your address.", what)
	if proxies := &e.acceptor.limiter.proxies; proxies.forwardedPastUs(r) {
		f.sentence += " A proxy has forwarded this request. All clients of the proxy count as one address until the server's Options.Limits.TrustedProxies name it."
		e.adviseProxy(r)
	}
	f.retryAfter(wait)
	return f
}

// adviseProxy logs once that the clients of a proxy share its limits.
func (e *Endpoint) adviseProxy(r *http.Request) {
	if !e.advised.first("TrustedProxies") {
		return
	}
	const advice = "requests have the header of a proxy that Options.Limits.TrustedProxies does not name, and reached a limit: all clients of a proxy count as one address until it is named there"
	if l := e.acceptor.Logger; l != nil {
		l.Warn("websocket: "+advice, "remote", r.RemoteAddr)
		return
	}
	httpLogf(r.Context())("websocket: %s; the request came from %s", advice, r.RemoteAddr)
}
