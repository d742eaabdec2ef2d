//go:build !js

package parity

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/ws/wstest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// runs returns a native and a browser run with all expected observations.
func runs() (native, browser []wstest.Result) {
	for _, c := range wstest.Cases() {
		for _, class := range []wstest.Class{wstest.Native, wstest.Browser} {
			r := wstest.Result{ID: c.ID, Target: string(class), Class: class}
			for _, e := range c.Want {
				r.Observations = append(r.Observations, wstest.Observation{Key: e.Key, Value: e.Value(class)})
			}
			if class == wstest.Native {
				native = append(native, r)
			} else {
				browser = append(browser, r)
			}
		}
	}
	return native, browser
}

func table(t *testing.T, rows []wstest.Row) []string {
	t.Helper()
	var b strings.Builder
	if err := WriteTable(&b, []string{"native", "browser"}, rows); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func TestTableOfAPerfectRun(t *testing.T) {
	t.Parallel()
	rows := wstest.Compare(runs())
	lines := table(t, rows)
	if !Right(rows) || len(lines) != len(rows)+2 {
		t.Fatalf("right %v, %d lines for %d rows:\n%s", Right(rows), len(lines), len(rows), strings.Join(lines, "\n"))
	}
	different := 0
	for i, row := range rows {
		want := []string{row.Case.ID, "right", "right", row.Case.Event}
		if ids := row.Different(); len(ids) > 0 {
			want[2] = strings.Join(ids, " ")
			different++
		}
		var got []string
		for cell := range strings.SplitSeq(lines[i+1], " | ") {
			got = append(got, strings.TrimSpace(cell))
		}
		if !slices.Equal(got, want) {
			t.Errorf("line %d is %q, want %q", i+1, got, want)
		}
	}
	if different == 0 || different > len(rows)/2 {
		t.Errorf("%d of %d rows are different, want a few", different, len(rows))
	}
	if want := fmt.Sprintf("%d rows, %[1]d right, %d identical in native, browser", len(rows), len(rows)-different); lines[len(lines)-1] != want {
		t.Errorf("the last line is %q, want %q", lines[len(lines)-1], want)
	}
}

func TestTableListsMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spoil func(native, browser []wstest.Result)
		want  []string
	}{
		{"an observation of the browser's", func(_, b []wstest.Result) { b[0].Observations[1].Value = "lost" },
			[]string{"| right  | WRONG   |", "    browser: text of 1 B, one at a time: observed lost, want unchanged"}},
		{"the same mistake on both", func(n, b []wstest.Result) { n[0].Observations[1].Value, b[0].Observations[1].Value = "lost", "lost" },
			[]string{"| WRONG  | WRONG   |", "    native: text of 1 B, one at a time: observed lost, want unchanged"}},
		{"a leak", func(n, _ []wstest.Result) { n[0].Failed = true },
			[]string{"| WRONG  | right   |", "    native: every observation is right, but the test failed; see its log"}},
		{"a run that ended early", func(_, b []wstest.Result) { b[0] = wstest.Result{} },
			[]string{"| right  | WRONG   |", "    browser: no result"}},
		{"a case that did not run", func(_, b []wstest.Result) { b[0].Skipped = "no time" },
			[]string{"| right  | not run |", "    browser: not run: no time"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			native, browser := runs()
			test.spoil(native, browser)
			rows := wstest.Compare(native, browser)
			all := strings.Join(table(t, rows), "\n")
			for _, want := range test.want {
				if !strings.Contains(all, want) {
					t.Errorf("the table lacks %q:\n%.600s", want, all)
				}
			}
			if Right(rows) {
				t.Error("Right = true")
			}
		})
	}
	if Right(nil) {
		t.Error("no rows are right")
	}
}
