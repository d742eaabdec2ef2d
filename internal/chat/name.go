package chat

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/isosocket/isosocket/errors"
)

// MaxName is the most runes that a name may have.
const MaxName = 24

// MaxText is the most runes that a text may have.
const MaxText = 2000

// CleanName returns name without spaces around it and with single spaces in
// it. It is an error if nothing remains, if it is longer than [MaxName] runes,
// or if it has a rune that is not printed, such as a control character or one
// that turns the direction of writing.
func CleanName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return "", errors.New("a name needs at least one letter")
	case n > MaxName:
		return "", errors.New("a name of " + strconv.Itoa(n) + " characters is too long; at most " + strconv.Itoa(MaxName) + " are allowed")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return "", errors.New("a name may not have the character " + strconv.QuoteRuneToASCII(r))
		}
	}
	return name, nil
}

// CleanText returns text without spaces around it. It is an error if nothing
// remains, if it is longer than [MaxText] runes, or if it has a control
// character other than a line break or a tab.
func CleanText(text string) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "", errors.New("there is nothing to say: the text is empty")
	case n > MaxText:
		return "", errors.New("a text of " + strconv.Itoa(n) + " characters is too long; at most " + strconv.Itoa(MaxText) + " are allowed")
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return "", errors.New("a text may not have the control character " + strconv.QuoteRuneToASCII(r))
		}
	}
	return text, nil
}

// Printable returns s with every control character but line breaks and tabs,
// and every one that turns the direction of writing, replaced by U+FFFD. Text
// from strangers is then safe to write to a terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return utf8.RuneError
		}
		return r
	}, s)
}
