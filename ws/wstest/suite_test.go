package wstest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
	"github.com/isosocket/isosocket/ws/wstest"
)

func TestCasesAreCompleteAndInOrder(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	var parity, different int
	for _, c := range wstest.Cases() {
		want := ""
		if strings.HasPrefix(c.ID, "D") {
			different++
			want = fmt.Sprintf("D%02d", different)
		} else {
			parity++
			want = fmt.Sprintf("P%02d", parity)
		}
		if c.ID != want {
			t.Errorf("case %s follows, want %s", c.ID, want)
		}
		if seen[c.ID] {
			t.Errorf("case %s is listed twice", c.ID)
		}
		seen[c.ID] = true
		if c.Event == "" || c.Outcome == "" || c.Why == "" || len(c.Want) == 0 {
			t.Errorf("%s lacks its event, outcome, reason or expectations", c.ID)
		}
		keys := make(map[string]bool)
		for _, e := range c.Want {
			if e.Key == "" || e.Native == "" || e.Browser == "" || keys[e.Key] {
				t.Errorf("%s: the expectation %+v is not complete, or its key is listed twice", c.ID, e)
			}
			keys[e.Key] = true
		}
	}
	if parity < 45 || different < 4 {
		t.Errorf("%d and %d rows: some are missing", parity, different)
	}
}

// TestQuirksAreOfCases checks that the cases of each quirk exist and expect another value
// without it, and that no engine has two quirks for one expectation.
func TestQuirksAreOfCases(t *testing.T) {
	t.Parallel()
	type expectation struct{ id, key string }
	want := make(map[expectation]string)
	for _, c := range wstest.Cases() {
		for _, e := range c.Want {
			want[expectation{c.ID, e.Key}] = e.Browser
		}
	}
	engines := []string{"chromium", "firefox", "webkit", "node", "deno", "bun"}
	decided := make(map[string]bool)
	for i, q := range wstest.Quirks() {
		if q.ID != fmt.Sprintf("E%d", i+1) || q.Subject == "" || q.Behaviour == "" || q.Cause == "" || q.Library == "" ||
			!strings.HasPrefix(q.Link, "https://") || len(q.Engines) == 0 || len(q.Values) == 0 {
			t.Errorf("quirk %d lacks a field, or its id is not the next one: %+v", i+1, q)
		}
		for _, engine := range q.Engines {
			if !slices.Contains(engines, engine) {
				t.Errorf("%s: unknown engine %q", q.ID, engine)
			}
			for _, v := range q.Values {
				value, ok := want[expectation{v.Case, v.Key}]
				if !ok || value == v.Value {
					t.Errorf("%s: %s, %s: expects %q without the quirk, %q with it; the case exists: %v", q.ID, v.Case, v.Key, value, v.Value, ok)
				}
				name := engine + " " + v.Case + " " + v.Key
				if decided[name] {
					t.Errorf("%s: another quirk decides %s", q.ID, name)
				}
				decided[name] = true
			}
		}
	}
}

func TestEveryDifferenceIsDocumented(t *testing.T) {
	t.Parallel()
	shown := make(map[string]bool)
	for _, d := range wstest.Differences() {
		shown[d.ID] = false
	}
	for _, c := range wstest.Cases() {
		for _, e := range c.Want {
			if e.Native == e.Browser != (e.Difference == "") {
				t.Errorf("%s: %s: native %q, browser %q, difference %q", c.ID, e.Key, e.Native, e.Browser, e.Difference)
			}
			if e.Difference == "" {
				continue
			}
			if _, ok := shown[e.Difference]; !ok {
				t.Errorf("%s: %s: the difference %q does not exist", c.ID, e.Key, e.Difference)
			}
			shown[e.Difference] = true
		}
	}
	for id, ok := range shown {
		if !ok {
			t.Errorf("no expectation shows the difference %s", id)
		}
	}
	if rows := strings.Count(wstest.DifferencesTable(), "\n"); rows != len(shown)+2 {
		t.Errorf("the table has %d lines for %d differences", rows, len(shown))
	}
}

// perfect returns the result of a run that made all expected observations.
func perfect(c wstest.Case, class wstest.Class) wstest.Result {
	r := wstest.Result{ID: c.ID, Target: string(class), Class: class}
	for _, e := range c.Want {
		r.Observations = append(r.Observations, wstest.Observation{Key: e.Key, Value: e.Value(class)})
	}
	return r
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	c := wstest.Case{ID: "X", Want: []wstest.Expectation{
		{Key: "one", Native: "a", Browser: "a"},
		{Key: "two", Native: "b", Browser: "c", Difference: "B1"},
	}}
	for _, test := range []struct {
		name  string
		class wstest.Class
		saw   []wstest.Observation
		want  []string
	}{
		{"native, right", wstest.Native, []wstest.Observation{{"one", "a"}, {"two", "b"}}, nil},
		{"browser, right", wstest.Browser, []wstest.Observation{{"one", "a"}, {"two", "c"}}, nil},
		{"the other class's value", wstest.Browser, []wstest.Observation{{"one", "a"}, {"two", "b"}}, []string{"two: observed b, want c"}},
		{"a part that could not run", wstest.Native, []wstest.Observation{{"one", "a"}, {"two", "not run: no IPv6"}}, nil},
		{"ended half-way", wstest.Native, []wstest.Observation{{"one", "x"}}, []string{"one: observed x, want a", "two: nothing observed, want b"}},
		{"in another order", wstest.Native, []wstest.Observation{{"two", "b"}, {"one", "a"}}, []string{`observed "two" in place of "one"`}},
		{"too many", wstest.Native, []wstest.Observation{{"one", "a"}, {"two", "b"}, {"three", "z"}}, []string{"three: observed z, expected nothing"}},
		{"nothing", wstest.Native, nil, []string{"one: nothing observed, want a", "two: nothing observed, want b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := wstest.Result{ID: "X", Class: test.class, Observations: test.saw}.Mistakes(c)
			if strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("Mistakes = %q, want %q", got, test.want)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	var native, browser []wstest.Result
	for _, c := range wstest.Cases() {
		native = append(native, perfect(c, wstest.Native))
		browser = append(browser, perfect(c, wstest.Browser))
	}
	for _, row := range wstest.Compare(native, browser) {
		if !row.Right() || row.Identical() != (len(row.Different()) == 0) {
			t.Errorf("%s: right %v, identical %v, different %v", row.Case.ID, row.Right(), row.Identical(), row.Different())
		}
	}

	for _, test := range []struct {
		name  string
		spoil func(r *wstest.Result)
	}{
		{"a wrong observation", func(r *wstest.Result) {
			r.Observations = []wstest.Observation{{Key: r.Observations[0].Key, Value: "wrong"}}
		}},
		{"a test that failed otherwise", func(r *wstest.Result) { r.Failed = true }},
		{"a case that was skipped", func(r *wstest.Result) { r.Skipped = "no network" }},
		{"a case without a result", func(r *wstest.Result) { r.ID = "" }},
	} {
		for spoilt := range 3 {
			runs := [][]wstest.Result{slices.Clone(native), slices.Clone(browser), slices.Clone(browser)}
			test.spoil(&runs[spoilt][0])
			rows := wstest.Compare(runs...)
			if rows[0].Right() || !rows[1].Right() {
				t.Errorf("%s, run %d: right %v, and the next row %v", test.name, spoilt, rows[0].Right(), rows[1].Right())
			}
		}
	}
}

func TestParseResults(t *testing.T) {
	t.Parallel()
	results := []wstest.Result{
		{ID: "P01", Target: "native", Class: wstest.Native, Observations: []wstest.Observation{{Key: "k", Value: "é\n\"\x00<>"}}},
		{ID: "P02", Target: "native", Class: wstest.Native, Skipped: "why not"},
		{ID: "P03", Target: "native", Class: wstest.Native, Failed: true},
	}
	var log strings.Builder
	for _, r := range results {
		fmt.Fprintf(&log, "=== RUN   TestX/%s\n    run.go:42: %s\n--- PASS\n", r.ID, r)
	}
	got, err := wstest.ParseResults(strings.NewReader(log.String()))
	if err != nil || fmt.Sprint(got) != fmt.Sprint(results) {
		t.Errorf("ParseResults = %v, %v", got, err)
	}
	if got, err := wstest.ParseResults(strings.NewReader("wstest-result: {\n")); err == nil {
		t.Errorf("ParseResults of half a result = %v, no error", got)
	}
	broken := errors.New("broken")
	if _, err := wstest.ParseResults(io.MultiReader(strings.NewReader("x\n"), brokenReader{broken})); !errors.Is(err, broken) {
		t.Errorf("ParseResults of a broken log = %v", err)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestSummary(t *testing.T) {
	t.Parallel()
	r := wstest.Result{Observations: []wstest.Observation{{"a", "yes"}, {"b", "yes"}, {"c", "ééé"}}}
	for limit, want := range map[int]string{100: "yes; ééé", 11: "yes; ééé", 10: "yes; é…", 9: "yes; …", 3: "…"} {
		if got := r.Summary(limit); got != want || len(got) > limit {
			t.Errorf("Summary(%d) = %q, want %q", limit, got, want)
		}
	}
	if got := (wstest.Result{Skipped: "why"}).Summary(5); got != "not run: why" {
		t.Errorf("Summary of a skipped case = %q", got)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"nil":                     nil,
		`CC(4001, "bye", remote)`: fmt.Errorf("outer: %w", &errors.ConnectionClosed{Reason: 4001, Message: "bye", Remote: true}),
		`CC(1006, "", local)`:     &errors.ConnectionClosed{Reason: 1006, Err: context.Canceled},
		"ConnectionError{403}":    &errors.ConnectionError{StatusCode: 403},
		"ErrInvalidUTF8":          errors.ErrInvalidUTF8,
		"ConnectionError{0} that is context.DeadlineExceeded": &errors.ConnectionError{Err: context.DeadlineExceeded},
		"context.Canceled, which is not ErrWebSocket":         context.Canceled,
		"another error: EOF, which is not ErrWebSocket":       io.EOF,
	} {
		if got := wstest.Describe(err); got != want {
			t.Errorf("Describe(%v) = %s, want %s", err, got, want)
		}
	}
	for want, m := range map[string]ws.Message{
		`text ""`:                     ws.Text(""),
		`text "a\nb"`:                 ws.Text("a\nb"),
		"binary, 1 B, crc32 e8b7be43": ws.Binary([]byte("a")),
		"text, 65 B, crc32 ":          ws.Text(strings.Repeat("x", 65)),
	} {
		if got := wstest.DescribeMessage(m); !strings.HasPrefix(got, want) {
			t.Errorf("DescribeMessage = %s, want %s", got, want)
		}
	}
}

func TestPatternIsTextAndDoesNotRepeat(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1000, 1001} {
		b := wstest.Pattern(n)
		if len(b) != n || bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("Pattern(%d) has %d bytes, or some that are not ASCII", n, len(b))
		}
	}
	if bytes.HasPrefix(wstest.Pattern(1001), wstest.Pattern(1000)) {
		t.Error("patterns of different lengths begin with the same bytes, so a test would not notice truncation")
	}
}

func TestSkipsAreReported(t *testing.T) {
	t.Parallel()
	skip := make(map[string]string)
	for _, c := range wstest.Cases() {
		skip[c.ID] = "not today"
	}
	var results []wstest.Result
	wstest.Run(t, wstest.Target{
		Name:   "none",
		Class:  wstest.Native,
		Dial:   func(context.Context, string, *wstest.Options) (*ws.Conn, error) { return nil, io.EOF },
		Skip:   skip,
		Report: func(r wstest.Result) { results = append(results, r) },
	})
	if len(results) != len(skip) {
		t.Fatalf("%d results of %d cases", len(results), len(skip))
	}
	for _, r := range results {
		if r.Skipped != "not today" || r.Target != "none" {
			t.Errorf("%+v", r)
		}
	}
}
