package jsontext

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendEscaped appends data, which is UTF-8, as it stands between the quotes
// of a JSON string (RFC 8259, section 7).
func AppendEscaped(dst, data []byte) []byte {
	start := 0
	for i, c := range data {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, data[start:i]...)
		start = i + 1
		if c >= ' ' {
			dst = append(dst, '\\', c)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	return append(dst, data[start:]...)
}

// AppendUnescaped appends what text, which stood between the quotes of a JSON
// string, means. An escape that is none becomes U+FFFD, like a surrogate
// without its other half.
func AppendUnescaped(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		c := text[i+1]
		text = text[i+2:]
		switch c {
		case '"', '\\', '/':
			dst = append(dst, c)
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			var r rune
			r, text = hexRune(text)
			if utf16.IsSurrogate(r) && hasPrefix(text, `\u`) {
				low, rest := hexRune(text[2:])
				if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
					r, text = both, rest
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		}
	}
}

// hexRune reads the four digits behind \u.
func hexRune(text []byte) (r rune, rest []byte) {
	if len(text) < 4 {
		return utf8.RuneError, nil
	}
	for i := range 4 {
		digit := strings.IndexByte(hexDigits, text[i]|0x20)
		if digit < 0 {
			return utf8.RuneError, text[4:]
		}
		r = r<<4 | rune(digit)
	}
	return r, text[4:]
}
