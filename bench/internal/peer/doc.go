// Package peer has one implementation of the measured tasks per library, each
// written as the library's own documentation recommends for speed, and one
// over bare TCP that does the same bytes: the limit that the machine sets.
package peer
