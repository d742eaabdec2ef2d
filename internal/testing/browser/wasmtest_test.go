//go:build !js

package browser

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestWasmResultProblem(t *testing.T) {
	passed := []*TestResult{{Name: "TestA", Status: Passed}}
	half := []*TestResult{{Name: "TestA", Status: Passed, Subtests: []*TestResult{{Name: "TestA/b"}}}}
	tests := []struct {
		name    string
		result  WasmResult
		verdict string
		want    string
	}{
		{"good", WasmResult{Tests: passed}, "PASS", ""},
		{"exit code", WasmResult{Tests: passed, ExitCode: 2}, "PASS", "exit code 2"},
		{"no exit", WasmResult{Tests: half, ExitCode: -1, Err: errors.New("the page crashed")}, "", "the page crashed; not finished: TestA/b"},
		{"exit in the middle", WasmResult{Tests: half}, "PASS", "exit code 0; not finished: TestA/b"},
		{"no verdict", WasmResult{Tests: passed}, "", "exit code 0 without PASS"},
		{"wrong verdict", WasmResult{Tests: passed}, "FAIL", "exit code 0 without PASS"},
		{"no test", WasmResult{}, "PASS", "no test ran"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.result.problem(tt.verdict); got != tt.want {
				t.Errorf("problem is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFollow(t *testing.T) {
	errCause := errors.New("the cause")
	tests := []struct {
		name    string
		reports []report
		ended   bool // ctx has ended before
		output  string
		code    int
		err     string
	}{
		{"exit", []report{{Type: reportOutput, Text: "a"}, {Type: reportConsole, Text: "c"}, {Type: reportOutput, Text: "b"}, {Type: reportExit, Code: 3}}, false, "ab", 3, ""},
		{"error", []report{{Type: reportOutput, Text: "a"}, {Type: reportError, Text: "trap"}}, false, "a", -1, "trap"},
		{"time out", []report{{Type: reportOutput, Text: "a"}}, true, "a", -1, "not finished in time: the cause"},
		{"killed by the time out", []report{{Type: reportError, Text: "killed"}}, true, "", -1, "not finished in time: the cause: killed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			queue := newReports()
			for _, r := range tt.reports {
				queue.add(r)
			}
			if tt.ended {
				cancel(errCause)
			}
			var output strings.Builder
			code, err := follow(ctx, queue, func(text string) { output.WriteString(text) })
			if output.String() != tt.output || code != tt.code {
				t.Errorf("output %q, code %d; want %q, %d", output.String(), code, tt.output, tt.code)
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || err.Error() != tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestFollowWaitsForReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		queue := newReports()
		go func() {
			for range 3 {
				time.Sleep(time.Minute)
				queue.add(report{Type: reportOutput, Text: "x"})
			}
			time.Sleep(time.Minute)
			queue.add(report{Type: reportExit})
		}()
		var output string
		code, err := follow(ctx, queue, func(text string) { output += text })
		if output != "xxx" || code != 0 || err != nil {
			t.Errorf("output %q, code %d, error %v; want xxx, 0, nil", output, code, err)
		}
	})
}

func TestArguments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		test := WasmTest{Args: []string{"-test.run=X"}}
		tests := []struct {
			left time.Duration
			want string
		}{
			{100 * time.Second, "-test.timeout=1m30s"},
			{10 * time.Second, "-test.timeout=8s"},
			{time.Second, "-test.timeout=1s"},
		}
		for _, tt := range tests {
			ctx, cancel := context.WithTimeout(t.Context(), tt.left)
			args := test.arguments(ctx, "")
			cancel()
			if !slices.Contains(args, tt.want) || args[len(args)-1] != "-test.run=X" {
				t.Errorf("with %v left the arguments are %q, want %q and, last, -test.run=X", tt.left, args, tt.want)
			}
		}
	})
}

func TestStartRefusesBadInput(t *testing.T) {
	tests := []struct {
		name string
		test WasmTest
		want string
	}{
		{"no browser", WasmTest{Binary: "x.wasm"}, "a browser is needed to run in a page"},
		{"variable without a name", WasmTest{Env: map[string]string{"": "x"}}, `environment variable ""`},
		{"variable's name with =", WasmTest{Env: map[string]string{"a=b": "x"}}, `environment variable "a=b"`},
		{"NUL in a value", WasmTest{Env: map[string]string{"a": "x\x00"}}, `environment variable "a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tt.test.start(t.Context(), nil, newReports()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("start gave error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestPortableFlags(t *testing.T) {
	for flags, want := range map[string]string{
		"": "", "-race": "", "-buildvcs=false -race -v": "-buildvcs=false -v", "--race=true": "",
	} {
		if got := portableFlags(flags); got != want {
			t.Errorf("portableFlags(%q) = %q, want %q", flags, got, want)
		}
	}
}

func TestTestdata(t *testing.T) {
	files, err := testdata("testdata/sample")
	if err != nil || string(files["/src/testdata/golden.txt"]) != "what the test expects\n" || len(files) != 2 {
		t.Errorf("testdata gave %q, %v", files, err)
	}
	for _, dir := range []string{"", "assets"} {
		if files, err := testdata(dir); err != nil || len(files) != 0 {
			t.Errorf("testdata(%q) gave %q, %v, want nothing", dir, files, err)
		}
	}
}
