package hub_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/hub"
)

// FuzzParsePosition: a text is an error that quotes it, or the only spelling of its position; and every
// position that an engine may make comes back from its text.
func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"", "3vxyz-9ix", "a-0", "a-00", "a-1y2p0ij32e8e7", "a-1y2p0ij32e8e8", "-1", "a-", "a--1", "a-+1", "A-Z", "ä-1", strings.Repeat("a", 65) + "-1"} {
		f.Add(s, "3vxyz", uint64(12345))
	}
	f.Add("a-1", "", uint64(0))
	f.Fuzz(func(t *testing.T, s, epoch string, offset uint64) {
		p, err := hub.ParsePosition(s)
		switch {
		case err == nil && p.String() != s:
			t.Errorf("%q is the position %q", s, p)
		case err == nil && s != "" && (p.IsZero() || p.Epoch() == "" || p.Epoch()+"-"+strconv.FormatUint(p.Offset(), 36) != s):
			t.Errorf("%q has the epoch %q and the offset %d", s, p.Epoch(), p.Offset())
		case err != nil && (!p.IsZero() || len(s) <= 100 && !strings.Contains(err.Error(), strconv.Quote(s)) || len(err.Error()) > 600):
			t.Errorf("%q: %v, %v", s, p, err)
		}
		var again hub.Position
		if failed := again.UnmarshalText([]byte(s)); (failed == nil) != (err == nil) || again != p {
			t.Errorf("UnmarshalText(%q) = %v, %v, and ParsePosition %v, %v", s, again, failed, p, err)
		}

		allowed := epoch != "" && len(epoch) <= 64 && strings.Trim(epoch, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" &&
			!strings.ContainsFunc(epoch, func(c rune) bool { return c > 'z' || c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' })
		made := hub.MakePosition(epoch, offset)
		got, err := hub.ParsePosition(made.String())
		if made.IsZero() {
			allowed = true
		}
		if (err == nil) != allowed || err == nil && got != made {
			t.Errorf("epoch %q, offset %d: the text %q is %v, %v", epoch, offset, made, got, err)
		}
	})
}
