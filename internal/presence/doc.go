// Package presence tells when another attempt to connect may fare better, as far
// as a browser knows: the machine is online again, the page became visible, or
// the page came back from the back/forward cache. Natively nothing ever changes.
package presence
