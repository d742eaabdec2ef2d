// Package presence reports when another attempt to connect may succeed, as far as a
// browser knows: the machine is online again, the page became visible, or the page
// came back from the back/forward cache. On native targets it reports nothing.
package presence
