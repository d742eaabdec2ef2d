package rfc6455

import "unicode/utf8"

// validPrefix checks the UTF-8 of a text of which b is the beginning. It returns the length of the
// whole runes in b, and false when b cannot be continued to valid UTF-8: the up to three bytes
// after that length are then the beginning of a rune.
func validPrefix(b []byte) (n int, ok bool) {
	n = len(b)
	for i := n - 1; i >= 0 && i >= n-3; i-- {
		if utf8.RuneStart(b[i]) {
			// FullRune is true for what no further byte can mend, which Valid then finds.
			if !utf8.FullRune(b[i:]) {
				n = i
			}
			break
		}
	}
	return n, utf8.Valid(b[:n])
}
