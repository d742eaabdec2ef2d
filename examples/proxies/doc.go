// Package proxies holds configurations of nginx, HAProxy and Caddy for a server of this library.
// Its tests run each of them with the real program. The page docs/proxies.md explains them.
package proxies
