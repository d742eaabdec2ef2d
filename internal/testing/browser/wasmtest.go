//go:build !js

package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Where names the environment in which a wasm test binary runs.
type Where int

// The environments of a wasm test binary.
const (
	InPage          Where = iota // the main thread of a page
	InWorker                     // a dedicated Web Worker of a page
	InSharedWorker               // a shared worker
	InServiceWorker              // a service worker
	InNode                       // Node.js
	InDeno                       // Deno
	InBun                        // Bun
)

// places names each Where, as the page's scripts and the results do.
var places = [...]string{"page", "worker", "shared worker", "service worker", "node", "deno", "bun"}

// String describes the environment.
func (w Where) String() string { return places[w] }

// InRuntime returns the Where for a process of e, which must be a runtime.
func InRuntime(e Engine) Where {
	switch e {
	case Node:
		return InNode
	case Deno:
		return InDeno
	case Bun:
		return InBun
	}
	panic("browser: " + e.Label() + " is not a runtime")
}

// runtime returns the runtime of w, or "" for a browser.
func (w Where) runtime() Engine {
	switch w {
	case InNode:
		return Node
	case InDeno:
		return Deno
	case InBun:
		return Bun
	}
	return ""
}

// WasmTest is a test binary compiled for GOOS=js GOARCH=wasm, with its configuration.
type WasmTest struct {
	// Binary is the path of the compiled binary. CompileWasmTest sets it.
	Binary string

	// Dir is the directory of the package's sources. A browser gets its testdata in memory; in a
	// runtime, Dir is the working directory. It may be empty. CompileWasmTest sets it.
	Dir string

	// Where selects the environment; the default is InPage.
	Where Where

	// Args are added to the binary's arguments, such as "-test.run=^TestEcho$". RunWasmTest sets
	// -test.v, -test.timeout, -test.paniconexit0 and, if the native tests run with it,
	// -test.short.
	Args []string

	// Env is the environment of the binary, in addition to HOME and TMPDIR. Arguments and
	// environment together must be smaller than 8 KiB, the limit of Go's wasm_exec.js.
	Env map[string]string
}

// WasmResult is the result of a run.
type WasmResult struct {
	Tests    []*TestResult // top-level tests in the order in which they began
	ExitCode int           // the binary's exit code; -1 if it did not exit
	Err      error         // why the run ended without an exit code; nil if it exited
	Output   string        // output outside of any test, mainly the stacks of a panic
	Console  string        // the console of the page, or of page and worker; empty for a runtime
	Elapsed  time.Duration // from the start of the binary's download to its end
}

// CompileWasmTest compiles the tests of a package, named by import path or relative to the
// working directory, for GOOS=js GOARCH=wasm. It fails tb, with the compiler's output, if they
// do not compile or if there are none. It removes the binary when tb ends.
func CompileWasmTest(tb testing.TB, pkg string) WasmTest {
	tb.Helper()
	target := []string{"GOOS=js", "GOARCH=wasm", "GOFLAGS=" + portableFlags(os.Getenv("GOFLAGS"))}
	dir, err := goCommand(tb.Context(), target, "list", "-f", "{{.Dir}}", pkg)
	if err != nil {
		tb.Fatal(err)
	}
	binary := filepath.Join(tb.TempDir(), filepath.Base(dir)+".test.wasm")
	// No -trimpath or -s: panics in a browser should name files and lines. internal/testing/leak
	// needs the tag and the linker flag to count callbacks.
	command := []string{"test", "-c", "-tags=callbacks", "-ldflags=-checklinkname=0", "-o", binary}
	if coverageDir() != "" {
		command = append(command, coverageFlags...)
	}
	said, err := goCommand(tb.Context(), target, append(command, pkg)...)
	if err != nil {
		tb.Fatalf("compiling the tests of %s for js/wasm: %v", pkg, err)
	}
	if _, err := os.Stat(binary); err != nil {
		tb.Fatalf("package %s has no tests for js/wasm: %s", pkg, said)
	}
	return WasmTest{Binary: binary, Dir: dir}
}

// portableFlags drops the flags from GOFLAGS that only native targets support.
func portableFlags(flags string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(flags), func(flag string) bool {
		return strings.HasPrefix(strings.TrimLeft(flag, "-"), "race")
	}), " ")
}

const (
	defaultRunTimeout = 10 * time.Minute

	// deadlineMargin is the time to report the result before go test's own deadline ends the
	// process.
	deadlineMargin = 15 * time.Second
)

// RunWasmTest runs a test binary in b or in a runtime, for which b may be nil. Each of its tests
// becomes a subtest of t with the same name, as soon as it has ended. The run must end before
// ctx does; a ctx without a deadline gets that of t, or ten minutes. The binary's own timeout is
// shorter, so its output shows where it hangs.
//
// The package documentation lists the reasons for which a run fails. A failed run prints the
// page's console. RunWasmTest always returns the result, which the caller owns.
func RunWasmTest(ctx context.Context, t *testing.T, b *Browser, test WasmTest) *WasmResult {
	t.Helper()
	ctx, cancel := runContext(ctx, t)
	defer cancel()

	result := &WasmResult{ExitCode: -1}
	log := &testLog{}
	publish := func(tests []*TestResult) {
		for _, root := range tests {
			result.Tests = append(result.Tests, root)
			t.Run(root.leaf, root.replay)
		}
	}

	start := time.Now()
	reports := newReports()
	stop, err := test.start(ctx, b, reports)
	if err != nil {
		result.Err = fmt.Errorf("starting %s in %s: %w", filepath.Base(test.Binary), place(test.Where), err)
		t.Error(result.Err)
		return result
	}
	result.ExitCode, result.Err = follow(ctx, reports, func(text string) { publish(log.write(text)) })
	result.Elapsed = time.Since(start)
	result.Console = stop()
	publish(log.close())
	result.Output = log.outside.String()

	if problem := result.problem(log.verdict); problem != "" {
		t.Errorf("%s in %s: %s", filepath.Base(test.Binary), place(test.Where), problem)
		if result.Output != "" {
			t.Logf("output outside of tests:\n%s", result.Output)
		}
	}
	if t.Failed() && test.Where.runtime() == "" {
		t.Logf("the page's console:\n%s", result.Console)
	}
	return result
}

func place(w Where) string {
	if e := w.runtime(); e != "" {
		return e.Label()
	}
	return "a " + w.String()
}

// runContext gives ctx a deadline if it has none.
func runContext(ctx context.Context, t *testing.T) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	if deadline, ok := t.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-deadlineMargin))
	}
	return context.WithTimeout(ctx, defaultRunTimeout)
}

// follow passes on the output of a run until it ends, and returns the exit code, or -1 and the
// error.
func follow(ctx context.Context, reports *reports, output func(text string)) (int, error) {
	for {
		// Checked before the queue, so that reports from before the end are not lost.
		late := ctx.Err() != nil
		for _, r := range reports.take() {
			switch r.Type {
			case reportOutput:
				output(r.Text)
			case reportFile:
				if err := keepCoverage(r.Text, r.Data); err != nil {
					return -1, err
				}
			case reportExit:
				return r.Code, nil
			case reportError:
				if ctx.Err() != nil { // the timeout is the cause
					return -1, fmt.Errorf("not finished in time: %w: %s", context.Cause(ctx), r.Text)
				}
				return -1, errors.New(r.Text)
			}
		}
		if late {
			return -1, fmt.Errorf("not finished in time: %w", context.Cause(ctx))
		}
		select {
		case <-reports.ready:
		case <-ctx.Done():
		}
	}
}

// problem returns the reason for which a run fails apart from failed tests, or "".
func (r *WasmResult) problem(verdict string) string {
	var unfinished []string
	for _, test := range r.Tests {
		unfinished = test.unfinished(unfinished)
	}
	running := ""
	if len(unfinished) > 0 {
		running = "; not finished: " + strings.Join(unfinished, ", ")
	}
	switch {
	case r.Err != nil:
		return r.Err.Error() + running
	case r.ExitCode != 0:
		return fmt.Sprintf("exit code %d%s", r.ExitCode, running)
	case running != "":
		return "exit code 0" + running
	case verdict != "PASS":
		return "exit code 0 without PASS"
	case len(r.Tests) == 0:
		return "no test ran"
	}
	return ""
}

// replay makes t end like r.
func (r *TestResult) replay(t *testing.T) {
	io.WriteString(t.Output(), r.Output())
	for _, sub := range r.Subtests {
		t.Run(sub.leaf, sub.replay)
	}
	fmt.Fprintf(t.Output(), "%s after %v\n", r.Status, r.Elapsed)
	switch r.Status {
	case Skipped:
		t.SkipNow()
	case Failed:
		t.Fail()
	case Unfinished:
		t.Error("the run ended before this test did")
	}
}

// start starts the binary, which then reports to reports. stop ends the run and returns the
// console.
func (test WasmTest) start(ctx context.Context, b *Browser, to *reports) (stop func() (console string), err error) {
	for name, value := range test.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return nil, fmt.Errorf("environment variable %q: a name must not be empty or contain '=', and neither name nor value may contain a NUL", name)
		}
	}
	if test.Where.runtime() != "" {
		return test.startRuntime(ctx, to)
	}
	if b == nil {
		return nil, fmt.Errorf("a browser is needed to run in %s, and b is nil", place(test.Where))
	}
	return test.startPage(ctx, b, to)
}

// arguments returns the binary's arguments without its name. It writes its coverage to the
// directory coverage, unless that is "".
func (test WasmTest) arguments(ctx context.Context, coverage string) []string {
	args := []string{"-test.v=test2json", "-test.paniconexit0"}
	if coverage != "" {
		args = append(args, "-test.gocoverdir="+coverage)
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		args = append(args, "-test.timeout="+max(left-max(left/10, 2*time.Second), time.Second).Round(time.Millisecond).String())
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	return append(args, test.Args...)
}

// environment returns Env with the variables of every binary.
func (test WasmTest) environment(base map[string]string) map[string]string {
	env := maps.Clone(base)
	maps.Copy(env, test.Env)
	return env
}
