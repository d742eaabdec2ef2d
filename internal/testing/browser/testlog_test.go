//go:build !js

package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// outline formats results, one on each line: status, name, output.
func outline(tests []*TestResult) string {
	var b strings.Builder
	for _, test := range tests {
		fmt.Fprintf(&b, "%v %s %q\n", test.Status, test.Name, test.Output())
		b.WriteString(outline(test.Subtests))
	}
	return b.String()
}

func TestTestLog(t *testing.T) {
	tests := []struct {
		name    string
		log     string // ^ stands for the marker
		want    string
		outside string
		verdict string
	}{
		{
			name:    "one test",
			log:     "^=== RUN   TestA\n    a_test.go:1: hi\n^--- PASS: TestA (0.25s)\n^PASS\n",
			want:    `passed TestA "    a_test.go:1: hi\n"`,
			verdict: "PASS",
		},
		{
			name: "subtests report before their parent",
			log: "^=== RUN   TestA\n^=== RUN   TestA/x\n^--- FAIL: TestA/x (0.00s)\n^=== RUN   TestA/y\n^--- SKIP: TestA/y (0.00s)\n" +
				"^=== NAME  TestA\nafter\n^--- FAIL: TestA (0.00s)\n^FAIL\n",
			want:    `failed TestA "after\n"` + "\n" + `failed TestA/x ""` + "\n" + `skipped TestA/y ""`,
			verdict: "FAIL",
		},
		{
			name:    "indented result",
			log:     "^=== RUN   TestA\n^=== RUN   TestA/x\n^    --- PASS: TestA/x (0.00s)\n^--- PASS: TestA (0.00s)\n^PASS\n",
			want:    `passed TestA ""` + "\n" + `passed TestA/x ""`,
			verdict: "PASS",
		},
		{
			name:    "marker in the middle of a line",
			log:     "^=== RUN   TestA\nno newline^--- PASS: TestA (0.00s)\n^PASS\n",
			want:    `passed TestA "no newline\n"`,
			verdict: "PASS",
		},
		{
			name: "interleaved parallel tests",
			log: "^=== RUN   TestA\n^=== PAUSE TestA\n^=== RUN   TestB\n^=== PAUSE TestB\nnobody's\n^=== CONT  TestA\n^=== CONT  TestB\nb\n" +
				"^=== NAME  TestA\na\n^--- PASS: TestB (0.00s)\n^--- PASS: TestA (0.00s)\n^PASS\n",
			want:    `passed TestA "a\n"` + "\n" + `passed TestB "b\n"`,
			outside: "nobody's\n",
			verdict: "PASS",
		},
		{
			name:    "a test that prints what looks like a result",
			log:     "^=== RUN   TestA\n--- FAIL: TestA (0.00s)\nPASS\n^--- PASS: TestA (0.00s)\n^PASS\n",
			want:    `passed TestA "--- FAIL: TestA (0.00s)\nPASS\n"`,
			verdict: "PASS",
		},
		{
			name:    "a subtest whose own name has a slash",
			log:     "^=== RUN   TestA\n^=== RUN   TestA/b/c\n^--- PASS: TestA/b/c (0.00s)\n^--- PASS: TestA (0.00s)\n^PASS\n",
			want:    `passed TestA ""` + "\n" + `passed TestA/b/c ""`,
			verdict: "PASS",
		},
		{
			name:    "attributes",
			log:     "^=== RUN   TestA\n^=== ATTR  TestA row P01\n^--- PASS: TestA (0.00s)\n^PASS\n",
			want:    `passed TestA "=== ATTR  TestA row P01\n"`,
			verdict: "PASS",
		},
		{
			name:    "a crash",
			log:     "^=== RUN   TestA\n^=== RUN   TestA/x\n^--- FAIL: TestA/x (0.00s)\n^--- FAIL: TestA (0.00s)\npanic: oh\n\ngoroutine 7 [running]:\n",
			want:    `failed TestA ""` + "\n" + `failed TestA/x ""`,
			outside: "panic: oh\n\ngoroutine 7 [running]:\n",
		},
		{
			name: "cut off",
			log:  "^=== RUN   TestA\n^=== RUN   TestA/x\nhal",
			want: `unfinished TestA ""` + "\n" + `unfinished TestA/x "hal"`,
		},
		{
			name:    "a result of a test that never began",
			log:     "^--- PASS: TestA (0.00s)\n^PASS\n",
			outside: "--- PASS: TestA (0.00s)\n",
			verdict: "PASS",
		},
		{name: "nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.ReplaceAll(tt.log, "^", marker)
			// The result must not depend on how the output is split.
			for _, size := range []int{1, 7, len(text) + 1} {
				log := &testLog{}
				var got []*TestResult
				for rest := text; rest != ""; {
					n := min(size, len(rest))
					got = append(got, log.write(rest[:n])...)
					rest = rest[n:]
				}
				got = append(got, log.close()...)
				if o := strings.TrimSuffix(outline(got), "\n"); o != tt.want {
					t.Errorf("pieces of %d: tests are\n%s\nwant\n%s", size, o, tt.want)
				}
				if log.outside.String() != tt.outside || log.verdict != tt.verdict {
					t.Errorf("pieces of %d: outside %q, verdict %q; want %q, %q", size, log.outside.String(), log.verdict, tt.outside, tt.verdict)
				}
			}
		})
	}
}

func TestTestLogReturnsTestsAsTheyEnd(t *testing.T) {
	log := &testLog{}
	steps := []struct{ write, want string }{
		{"^=== RUN   TestA\n^=== PAUSE TestA\n^=== RUN   TestB\n", ""},
		{"^--- PASS: TestB (0.00s)\n", ""}, // TestA began earlier and goes first
		{"^=== CONT  TestA\n^--- PASS: TestA (1.50s)\n", "passed TestA \"\"\npassed TestB \"\"\n"},
		{"^=== RUN   TestC\n", ""},
	}
	for _, step := range steps {
		got := log.write(strings.ReplaceAll(step.write, "^", marker))
		if outline(got) != step.want {
			t.Errorf("after %q write returned %q, want %q", step.write, outline(got), step.want)
		}
		if len(got) > 0 && got[0].Elapsed.String() != "1.5s" {
			t.Errorf("elapsed is %v, want 1.5s", got[0].Elapsed)
		}
	}
	if got := outline(log.close()); got != "unfinished TestC \"\"\n" {
		t.Errorf("close returned %q, want TestC", got)
	}
}

func FuzzTestLog(f *testing.F) {
	f.Add("^=== RUN   TestA\n^=== RUN   TestA/b\nx^--- PASS: TestA/b (0.00s)\n^--- FAIL: TestA (0.00s)\n^FAIL\n", 3)
	f.Add("^^\n^=== RUN   \n^=== RUN   /\n^--- PASS: / (1.2.3s)\n", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		text = strings.ReplaceAll(text, "^", marker)
		if size < 1 {
			size = 1
		}
		whole, pieces := &testLog{}, &testLog{}
		want := append(whole.write(text), whole.close()...)
		var got []*TestResult
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			got = append(got, pieces.write(rest[:n])...)
			rest = rest[n:]
		}
		got = append(got, pieces.close()...)
		if outline(got) != outline(want) || pieces.outside.String() != whole.outside.String() || pieces.verdict != whole.verdict {
			t.Errorf("in pieces of %d:\n%s%q\nwhole:\n%s%q", size, outline(got), pieces.outside.String(), outline(want), whole.outside.String())
		}
	})
}
