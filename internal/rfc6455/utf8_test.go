package rfc6455

import (
	"testing"
	"unicode/utf8"
)

// TestValidPrefix tries every one, two and three bytes from those where the rules of UTF-8 change,
// against a search for a rune that they begin.
func TestValidPrefix(t *testing.T) {
	interesting := []byte{0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}
	possible := make(map[string]bool)
	check := func(b []byte) {
		want, known := possible[string(b)]
		if !known {
			want = possibleUTF8(b, false)
			possible[string(b)] = want
		}
		n, ok := validPrefix(b)
		if ok != want || ok && (!utf8.Valid(b[:n]) || len(b)-n > 3) {
			t.Errorf("validPrefix(%x) is %d, %t; want %t", b, n, ok, want)
		}
	}
	check(nil)
	for _, a := range interesting {
		check([]byte{a})
		for _, b := range interesting {
			check([]byte{a, b})
			if a < 0xE0 {
				continue
			}
			for _, c := range []byte{0x41, 0x80, 0xBF, 0xC3} {
				check([]byte{a, b, c})
			}
		}
	}
}

// FuzzUTF8: checked piece by piece, a text is valid exactly if utf8.Valid says so, and it fails
// with the first byte that cannot be mended.
func FuzzUTF8(f *testing.F) {
	f.Add([]byte("Hello, κόσμε 😀"), uint8(3))
	f.Add([]byte("\xed\xa0\x80"), uint8(1))
	f.Add([]byte("\xf4\x90\x80\x80"), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		checked, valid := 0, true
		for end := 0; end < len(b) && valid; {
			end = min(end+int(step)+1, len(b))
			var n int
			n, valid = validPrefix(b[checked:end])
			checked += n
			if !valid && step == 0 && possibleUTF8(b[:end], false) {
				t.Errorf("%x is refused, though it can be mended", b[:end])
			}
			if valid && end < len(b) && !possibleUTF8(b[checked:end], false) {
				t.Errorf("%x is let pass", b[:end])
			}
		}
		if valid = valid && checked == len(b); valid != utf8.Valid(b) {
			t.Errorf("%x: valid %t", b, valid)
		}
	})
}
