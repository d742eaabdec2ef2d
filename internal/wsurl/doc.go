// Package wsurl parses WebSocket URLs, by the rules of the WHATWG URL Standard, on
// every target, and keeps the secrets in them out of errors and logs.
//
// [Parse] decides before any I/O what is valid and what a server is asked for.
// [URL.String], [Redact] and [URL.Scrub] are the only ways in which a URL gets into
// an error's text. A browser build uses the browser's URL class for what takes large
// tables; a native build uses net/netip and golang.org/x/net/idna.
package wsurl
