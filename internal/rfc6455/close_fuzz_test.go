package rfc6455

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzClose: a close frame with any valid code and any message is one that a peer accepts, with the
// code and as much of the message as fits.
func FuzzClose(f *testing.F) {
	f.Add(uint16(1000), "bye")
	f.Add(uint16(1005), "")
	f.Add(uint16(4999), strings.Repeat("\u20ac", 60))
	f.Add(uint16(1014), "a\xff\xf0\x9f")
	f.Add(uint16(3000), strings.Repeat("x", 122)+"\u00e9")
	f.Fuzz(func(t *testing.T, code uint16, message string) {
		travels := ValidCloseCode(code)
		if !travels && code != 0 && code != 1005 && code != 1006 && code != 1015 {
			return
		}
		for _, role := range []Role{Client, Server} {
			var e Encoder
			e.Init(role, nil, DeflatePolicy{})
			wire := e.AppendClose(nil, code, message)
			var d Decoder
			d.Init(1-role, 0, nil)
			n, ev, err := d.Decode(wire)
			if err != nil || ev != EventClose || n != len(wire) {
				t.Fatalf("%d %q is %x, which decodes to %v, %v after %d bytes", code, message, wire, ev, err, n)
			}
			got, text := d.Close()
			if !travels {
				if got != codeNoStatus || text != "" {
					t.Fatalf("%d is sent as %d %q", code, got, text)
				}
				continue
			}
			whole := strings.ToValidUTF8(message, "\uFFFD")
			if got != code || !utf8.ValidString(text) || !strings.HasPrefix(whole, text) || len(text) > maxCloseMessage ||
				len(text) < len(whole) && len(text) <= maxCloseMessage-utf8.UTFMax {
				t.Fatalf("%d %q arrives as %d %q", code, message, got, text)
			}
		}
	})
}
