package ws

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzCloseMessage compares closeMessage with the functions of strings.
func FuzzCloseMessage(f *testing.F) {
	for _, s := range []string{
		"", "done", "é\uFFFD", "\xff", "a\xff\xfe\xffb\xff", "\xef\xbf", "\xef\xbfx",
		strings.Repeat("x", 122) + "é", strings.Repeat("x", 121) + "é", strings.Repeat("x", 122) + "\xff",
		strings.Repeat("x", 120) + "\xff\xff", strings.Repeat("\xff.", 100), strings.Repeat("𝄞", 40),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := strings.ToValidUTF8(s, "\uFFFD")
		for len(want) > maxCloseMessage {
			_, size := utf8.DecodeLastRuneInString(want)
			want = want[:len(want)-size]
		}
		if got := closeMessage(s); got != want {
			t.Errorf("closeMessage(%q) = %q, want %q", s, got, want)
		}
	})
}
