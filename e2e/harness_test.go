//go:build !js

package e2e

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/testing/browser"
)

// sample has tests that end in every way. The tests of this file check that the harness reports
// them.
const sample = "../internal/testing/browser/testdata/sample"

// sampleTests lists the tests that a run of sample must find, in order, with the status and part
// of the output of each.
var sampleTests = []struct {
	name   string
	status browser.TestStatus
	output string
}{
	{"TestPass", browser.Passed, "hello from the browser"},
	{"TestSkip", browser.Skipped, "not today"},
	{"TestGroup", browser.Passed, ""},
	{"TestGroup/one", browser.Passed, "no newline at the end"},
	{"TestGroup/with_space", browser.Passed, ""},
	{"TestGroup/a/b", browser.Passed, ""},
	{"TestGroup/a/b/c", browser.Passed, ""},
	{"TestGroup/#00", browser.Passed, ""},
	{"TestParallel", browser.Passed, ""},
	{"TestParallel/x", browser.Passed, "log of x"},
	{"TestParallel/y", browser.Passed, "log of y"},
	{"TestParallel/z", browser.Passed, "log of z"},
	{"TestUnicode", browser.Passed, "hé 🌍"},
	{"TestArgsAndEnv", browser.Passed, ""},
	{"TestPlace", browser.Passed, "place="},
	{"TestFiles", browser.Passed, ""},
	{"TestEndFailing", browser.Skipped, ""},
	{"TestEndPanicking", browser.Skipped, ""},
	{"TestEndExiting", browser.Skipped, ""},
	{"TestEndHanging", browser.Skipped, ""},
	{"TestEndThrowing", browser.Skipped, ""},
	{"TestEndLeaking", browser.Skipped, ""},
	{"TestEndBusy", browser.Skipped, ""},
	{"FuzzSeeds", browser.Passed, ""},
	{"FuzzSeeds/seed#0", browser.Passed, ""},
	{"FuzzSeeds/corpus", browser.Passed, ""},
	{"Example", browser.Passed, ""},
}

func TestHarness(t *testing.T) {
	binary := browser.CompileWasmTest(t, sample)
	eachVenue(t, slices.Concat(venues, furtherVenues), nil, func(t *testing.T, b *browser.Browser, v venue) {
		test := binary
		test.Where = v.where
		test.Env = map[string]string{"SAMPLE_VALUE": "a=b c\n✓"}
		var result *browser.WasmResult
		t.Run("run", func(t *testing.T) {
			result = browser.RunWasmTest(t.Context(), t, b, test)
		})

		got := flatten(result.Tests)
		for i, want := range sampleTests {
			if i >= len(got) || got[i].Name != want.name {
				t.Fatalf("tests found are %v, want %s at place %d", names(got), want.name, i)
			}
			if got[i].Status != want.status || !strings.Contains(got[i].Output(), want.output) {
				t.Errorf("%s: %v with output %q, want %v with %q", want.name, got[i].Status, got[i].Output(), want.status, want.output)
			}
		}
		if len(got) > len(sampleTests) {
			t.Errorf("unexpected tests %v", names(got[len(sampleTests):]))
		}
		if result.ExitCode != 0 || result.Err != nil || result.Elapsed <= 0 {
			t.Errorf("exit code %d, error %v, elapsed %v", result.ExitCode, result.Err, result.Elapsed)
		}
		place := find(got, "TestPlace").Output()
		if want := "place=" + v.where.String() + " websocket=true"; !strings.Contains(place, want) {
			t.Errorf("TestPlace printed %q, want %q", place, want)
		}
		if v.engine.HasPages() && !strings.Contains(result.Console, "a warning of the "+v.where.String()) {
			t.Errorf("the console is %q, want the test's warning in it", result.Console)
		}
	})
}

// harnessEnds are the ways in which a run can fail, and text that the report of each must
// contain.
var harnessEnds = []struct {
	end     string // SAMPLE_END
	run     string // -test.run
	timeout time.Duration
	want    []string
}{
	{
		end: "failing", run: "^(TestPass|TestEndFailing)$",
		want: []string{"--- PASS: TestHarnessEnd/failing/TestPass ", "--- PASS: TestHarnessEnd/failing/TestEndFailing/good ",
			"--- FAIL: TestHarnessEnd/failing/TestEndFailing/bad ", "the sum is wrong",
			"--- FAIL: TestHarnessEnd/failing/TestEndFailing/bad_too ", "the product is wrong",
			"--- FAIL: TestHarnessEnd/failing/TestEndFailing ", "exit code 1"},
	},
	{
		end: "panicking", run: "^(TestPass|TestEndPanicking)$",
		want: []string{"--- PASS: TestHarnessEnd/panicking/TestPass ", "--- FAIL: TestHarnessEnd/panicking/TestEndPanicking/inner ",
			"panic: out of cheese", "sample_test.go:", "exit code 2"},
	},
	{
		end: "exiting", run: "^TestEndExiting$",
		want: []string{"--- FAIL: TestHarnessEnd/exiting/TestEndExiting ", "unexpected call to os.Exit(0) during test"},
	},
	{
		end: "before any test", run: "^TestPass$",
		want: []string{"--- FAIL: TestHarnessEnd/before_any_test ", "exit code 0 without PASS"},
	},
	{
		end: "nothing to run", run: "^TestNoSuchTest$",
		want: []string{"--- FAIL: TestHarnessEnd/nothing_to_run ", "no test ran"},
	},
	{
		end: "hanging", run: "^TestEndHanging$", timeout: 12 * time.Second,
		want: []string{"--- FAIL: TestHarnessEnd/hanging/TestEndHanging/inner ", "test timed out after", "sample_test.go:", "exit code 2"},
	},
	{
		end: "throwing", run: "^TestEndThrowing$",
		want: []string{"--- FAIL: TestHarnessEnd/throwing/TestEndThrowing ", "this is not caught", "the page's console:"},
	},
	{
		end: "leaking", run: "^TestEndLeaking$",
		want: []string{"--- PASS: TestHarnessEnd/leaking/TestEndLeaking ", "1 callback was not released, and 1 goroutine still runs", "exit code 1"},
	},
	{
		end: "busy", run: "^TestEndBusy$", timeout: 10 * time.Second,
		want: []string{"--- FAIL: TestHarnessEnd/busy/TestEndBusy ", "not finished in time", "not finished: TestEndBusy"},
	},
}

// TestHarnessReportsEveryBadEnd runs TestHarnessEnd, whose subtests all fail, in a process
// of its own and reads its report.
func TestHarnessReportsEveryBadEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHarnessEnd$", "-test.v")
	child.Env = append(child.Environ(), "HARNESS_END=yes")
	output, err := child.CombinedOutput()
	if code := child.ProcessState.ExitCode(); code != 1 {
		t.Errorf("the run ended with exit code %d (%v), want 1", code, err)
	}

	sections := strings.Split(string(output), "=== RUN   TestHarnessEnd/")
	for _, tt := range harnessEnds {
		t.Run(tt.end, func(t *testing.T) {
			name := strings.ReplaceAll(tt.end, " ", "_")
			// The report has the results at the end, and the output of each subtest at its
			// start.
			var report strings.Builder
			for i, section := range sections {
				if strings.HasPrefix(section, name) || i == len(sections)-1 {
					report.WriteString(section)
				}
			}
			for _, want := range tt.want {
				if !strings.Contains(report.String(), want) {
					t.Errorf("the report lacks %q", want)
				}
			}
			if t.Failed() {
				t.Logf("the report:\n%s", report.String())
			}
		})
	}
}

// TestHarnessEnd fails by design; TestHarnessReportsEveryBadEnd runs it.
func TestHarnessEnd(t *testing.T) {
	if os.Getenv("HARNESS_END") == "" {
		t.Skip("fails by design; TestHarnessReportsEveryBadEnd runs it in a process of its own")
	}
	binary := browser.CompileWasmTest(t, sample)
	b := browser.Start(t)
	for _, tt := range harnessEnds {
		t.Run(tt.end, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), max(tt.timeout, 0)+time.Minute)
			if tt.timeout != 0 {
				cancel()
				ctx, cancel = context.WithTimeout(t.Context(), tt.timeout)
			}
			defer cancel()
			test := binary
			test.Args = []string{"-test.run=" + tt.run}
			test.Env = map[string]string{"SAMPLE_END": tt.end}
			browser.RunWasmTest(ctx, t, b, test)
		})
	}
}

func flatten(tests []*browser.TestResult) []*browser.TestResult {
	var all []*browser.TestResult
	for _, test := range tests {
		all = append(all, test)
		all = append(all, flatten(test.Subtests)...)
	}
	return all
}

func names(tests []*browser.TestResult) []string {
	var all []string
	for _, test := range tests {
		all = append(all, test.Name)
	}
	return all
}

func find(tests []*browser.TestResult, name string) *browser.TestResult {
	for _, test := range tests {
		if test.Name == name {
			return test
		}
	}
	return &browser.TestResult{}
}
