package subprotocol

import (
	"strings"
	"testing"

	"github.com/isosocket/isosocket/errors"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		offered []string
		want    string // part of the error, "" for none
	}{
		{"none", nil, ""},
		{"tokens", []string{"chat", "v1.chat+json", "!#$%&'*+-.^_`|~09azAZ"}, ""},
		{"two that differ in case", []string{"chat", "Chat"}, ""},
		{"an empty one", []string{"chat", ""}, `"" is not a token`},
		{"a space", []string{"a b"}, `"a b" is not a token`},
		{"a comma", []string{"a,b"}, `"a,b" is not a token`},
		{"a separator", []string{"a/b"}, `"a/b" is not a token`},
		{"a control character", []string{"a\x00"}, `"a\x00" is not a token`},
		{"beyond ASCII", []string{"schön"}, `"schön" is not a token`},
		{"not UTF-8", []string{"a\xff\x7f"}, `"a\xff\x7f" is not a token`},
		{"quote and backslash", []string{`a"\`}, `"a\"\\" is not a token`},
		{"twice", []string{"a", "b", "a"}, `"a" is given twice`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := Check(test.offered)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("Check = %v", err)
			case test.want != "" && (!errors.Is(err, errors.ErrInvalidSubprotocol) || !errors.Is(err, errors.ErrWebSocket) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("Check = %v, want an ErrInvalidSubprotocol with %s in it", err, test.want)
			}
		})
	}
}
