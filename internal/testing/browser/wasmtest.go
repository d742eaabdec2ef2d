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

// Where names what a wasm test binary runs in.
type Where int

// The places a wasm test binary can run in.
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

// String returns the place in words.
func (w Where) String() string { return places[w] }

// InRuntime returns the place that is a process of e, which must be a runtime.
func InRuntime(e Engine) Where {
	switch e {
	case Node:
		return InNode
	case Deno:
		return InDeno
	case Bun:
		return InBun
	}
	panic("browser: " + e.Label() + " is no runtime")
}

// runtime returns the runtime that w is a process of, "" if it is in a browser.
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

// WasmTest is a test binary compiled for GOOS=js GOARCH=wasm, and how to run it.
type WasmTest struct {
	// Binary is the path of the compiled binary. CompileWasmTest sets it.
	Binary string

	// Dir is the directory of the package's sources. The binary finds its testdata there,
	// in memory in a browser, and has it as its working directory in a runtime. Empty:
	// none. CompileWasmTest sets it.
	Dir string

	// Where is what the binary runs in; InPage by default.
	Where Where

	// Args are added to the binary's arguments, such as "-test.run=^TestEcho$". The harness
	// itself sets -test.v, -test.timeout, -test.paniconexit0 and, when the native tests run
	// with it, -test.short.
	Args []string

	// Env is the environment of the binary, beside HOME and TMPDIR. Arguments and
	// environment together must stay below 8 KiB, which is what Go's wasm_exec.js allows.
	Env map[string]string
}

// WasmResult is what a run observed.
type WasmResult struct {
	Tests    []*TestResult // top-level tests in the order in which they began
	ExitCode int           // the binary's exit code; -1 if it did not exit
	Err      error         // why the run ended without an exit code; nil if it exited
	Output   string        // what the binary wrote outside of any test, a panic's stacks above all
	Console  string        // the console of the page, or of page and worker; empty for a runtime
	Elapsed  time.Duration // from the start of the binary's download to its end
}

// CompileWasmTest compiles the tests of a package, named by import path or relative to the
// working directory, for GOOS=js GOARCH=wasm. It fails tb, with the compiler's output, when
// they do not compile and when there are none. The binary is removed when tb ends.
func CompileWasmTest(tb testing.TB, pkg string) WasmTest {
	tb.Helper()
	target := []string{"GOOS=js", "GOARCH=wasm", "GOFLAGS=" + portableFlags(os.Getenv("GOFLAGS"))}
	dir, err := goCommand(tb.Context(), target, "list", "-f", "{{.Dir}}", pkg)
	if err != nil {
		tb.Fatal(err)
	}
	binary := filepath.Join(tb.TempDir(), filepath.Base(dir)+".test.wasm")
	// No -trimpath or -s: panics in a browser should name files and lines as they are here.
	// The tag and what the linker must allow for it let internal/testing/leak count
	// callbacks.
	said, err := goCommand(tb.Context(), target, "test", "-c", "-tags=callbacks", "-ldflags=-checklinkname=0", "-o", binary, pkg)
	if err != nil {
		tb.Fatalf("compiling the tests of %s for js/wasm: %v", pkg, err)
	}
	if _, err := os.Stat(binary); err != nil {
		tb.Fatalf("package %s has no tests for js/wasm: %s", pkg, said)
	}
	return WasmTest{Binary: binary, Dir: dir}
}

// portableFlags drops from GOFLAGS what only native targets have.
func portableFlags(flags string) string {
	return strings.Join(slices.DeleteFunc(strings.Fields(flags), func(flag string) bool {
		return strings.HasPrefix(strings.TrimLeft(flag, "-"), "race")
	}), " ")
}

const (
	defaultRunTimeout = 10 * time.Minute

	// deadlineMargin is left for this side to report what happened before go test's own
	// deadline ends the process.
	deadlineMargin = 15 * time.Second
)

// RunWasmTest runs a test binary in b, or in a runtime, where b may be nil, and makes every
// test of it a subtest of t, under the same name, as soon as it has ended. The run must end
// before ctx does; a ctx without a deadline gets t's, or ten minutes. The binary itself is
// stopped somewhat earlier, so that it says where it hangs.
//
// What fails a run is listed in the package's documentation. A failed run prints the page's
// console. The result is returned in any case and belongs to the caller.
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

// follow hands on the output of a run until it ends, and returns the exit code, or -1 and
// why there is none.
func follow(ctx context.Context, reports *reports, output func(text string)) (int, error) {
	for {
		// Asked before the queue, so that what came before the end is not lost.
		late := ctx.Err() != nil
		for _, r := range reports.take() {
			switch r.Type {
			case reportOutput:
				output(r.Text)
			case reportExit:
				return r.Code, nil
			case reportError:
				if ctx.Err() != nil { // then that is why
					return -1, fmt.Errorf("no end in time: %w: %s", context.Cause(ctx), r.Text)
				}
				return -1, errors.New(r.Text)
			}
		}
		if late {
			return -1, fmt.Errorf("no end in time: %w", context.Cause(ctx))
		}
		select {
		case <-reports.ready:
		case <-ctx.Done():
		}
	}
}

// problem says what is wrong with a run beyond the tests that failed in it; "" if nothing is.
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

// replay gives t the fate of r.
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

// start starts the binary, which then reports to reports. stop ends whatever still runs and
// returns the console.
func (test WasmTest) start(ctx context.Context, b *Browser, to *reports) (stop func() (console string), err error) {
	for name, value := range test.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return nil, fmt.Errorf("environment variable %q: a name is not empty and has no '=', and neither name nor value has a NUL", name)
		}
	}
	if test.Where.runtime() != "" {
		return test.startRuntime(ctx, to)
	}
	if b == nil {
		return nil, fmt.Errorf("a browser is needed to run in %s, and none was given", place(test.Where))
	}
	return test.startPage(ctx, b, to)
}

// arguments returns the binary's arguments without its name.
func (test WasmTest) arguments(ctx context.Context) []string {
	args := []string{"-test.v=test2json", "-test.paniconexit0"}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		args = append(args, "-test.timeout="+max(left-max(left/10, 2*time.Second), time.Second).Round(time.Millisecond).String())
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	return append(args, test.Args...)
}

// environment returns Env with what every binary gets.
func (test WasmTest) environment(base map[string]string) map[string]string {
	env := maps.Clone(base)
	maps.Copy(env, test.Env)
	return env
}
