// Package peer implements the measured tasks once for each library, in the way that the
// library's documentation recommends for speed. One more implementation moves the same bytes
// over bare TCP: it shows the limit of the machine.
package peer
