// Package wsurl parses WebSocket URLs, by the rules of the WHATWG URL Standard, on
// every target, and keeps the secrets in them out of errors and logs.
//
// [Parse] decides before any I/O whether a URL is valid and what the request contains.
// A URL gets into the text of an error only through [URL.String], [Redact] and
// [URL.Scrub]. A browser build uses the browser's URL class where large tables are
// needed; a native build uses net/netip and golang.org/x/net/idna.
package wsurl
