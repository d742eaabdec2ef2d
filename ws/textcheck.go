package ws

import "unicode/utf8"

// textCheck checks UTF-8 that arrives in parts.
type textCheck struct {
	tail [utf8.UTFMax]byte
	n    int // of tail: the beginning of a rune that is not whole
}

// add reports whether p can continue the text before it.
func (c *textCheck) add(p []byte) bool {
	for c.n > 0 && len(p) > 0 {
		c.tail[c.n] = p[0]
		c.n++
		p = p[1:]
		if utf8.FullRune(c.tail[:c.n]) {
			if !utf8.Valid(c.tail[:c.n]) {
				return false
			}
			c.n = 0
		}
	}
	end := len(p)
	for i := end - 1; i >= 0 && i >= end-utf8.UTFMax+1; i-- {
		if utf8.RuneStart(p[i]) {
			if !utf8.FullRune(p[i:]) {
				end = i
			}
			break
		}
	}
	if c.n == 0 {
		c.n = copy(c.tail[:], p[end:])
	}
	return utf8.Valid(p[:end])
}

// whole reports whether the text may end here.
func (c *textCheck) whole() bool { return c.n == 0 }
