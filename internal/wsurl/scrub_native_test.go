//go:build !js

package wsurl

import (
	"testing"

	"github.com/isosocket/isosocket/errors"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	a, err := Parse("ws://ann:pass%20word@example.com/?token=t%C3%A9kens&v=1&bare-secret")
	if err != nil {
		t.Fatal(err)
	}
	base := errors.New("ann said 'pass word' (pass%20word), tékens, t%C3%A9kens, v=1 and bare-secret of " + a.Unredacted())
	got := a.Scrub(base)
	if want := "ann said 'xxxxx' (xxxxx), xxxxx, xxxxx, v=1 and xxxxx of ws://xxxxx@example.com/?xxxxx"; got.Error() != want || !errors.Is(got, base) {
		t.Errorf("scrub = %v, want %s", got, want)
	}
	path, err := Parse("ws://ann:12/secret@example.com/")
	if err != nil {
		t.Fatal(err)
	}
	if got := path.Scrub(errors.New("of " + path.Unredacted())).Error(); got != "of ws://ann:12/xxxxx" {
		t.Errorf("scrub = %s", got)
	}
	if err := errors.New("nothing of it"); a.Scrub(err) != err {
		t.Error("scrub wraps an error without a secret")
	}
}

// TestScrubOfOneInAnother: a user whose name occurs in the query does not keep the query from being found.
func TestScrubOfOneInAnother(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"ws://0@0?secret0@0":                    "of ws://xxxxx@0.0.0.0/?xxxxx",
		"ws://annabel:12@h/?a=annabel-secret&b": "of ws://xxxxx@h/?xxxxx",
	} {
		a, err := Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Scrub(errors.New("of " + a.Unredacted())).Error(); got != want {
			t.Errorf("scrub of %s = %s, want %s", url, got, want)
		}
	}
}

// Chromium accepts this one.
func TestIPv6WithIPv4AndZeroInFront(t *testing.T) {
	t.Parallel()
	if a, err := Parse("ws://[::192.0.2.01]/"); !errors.Is(err, errors.ErrInvalidURL) {
		t.Errorf("Parse = %v, %v", a, err)
	}
}
