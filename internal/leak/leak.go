package leak

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// grace is how long goroutines may take to end.
const grace = 5 * time.Second

// expected holds what the Go runtime and the testing package keep running on their own, as
// text that occurs in such a goroutine's stack.
var expected = []string{
	"testing.(*M).startAlarm",
	"testing.(*T).Run(", // a parent that waits for its subtest
	"testing.(*F).Fuzz",
	"testing.runFuzzing",
	"testing.runTests",
	"testing.tRunner.func", // a parallel subtest's parent
	"testing.(*T).Parallel",
	"internal/fuzz.",
	"os/signal.loop",
	"os/signal.signal_recv",
	"runtime/pprof.profileWriter",
	"runtime/trace.",
	"runtime.ReadTrace",
	"runtime.ensureSigM",
}

// isExpected reports whether the runtime or the testing package keeps g running on its own.
func isExpected(g goroutine) bool {
	if containsAny(g.stack, expected) {
		return true
	}
	// In a browser, JavaScript's calls into Go arrive on goroutines of the runtime, which it keeps when
	// they are idle. One that is still inside a callback is somebody's.
	ofEvents := strings.Contains(g.stack, "runtime.handleEvent(") || strings.Contains(g.stack, "runtime.handleAsyncEvent(")
	return ofEvents && !strings.Contains(g.stack, "syscall/js.handleEvent(")
}

// Main runs the tests of m and ends the process with their exit code, or with 1 when they passed
// but left goroutines behind; those are printed with their stacks. A goroutine whose stack contains
// one of known (a function's name, say) is no leak. Main does not return.
func Main(m interface{ Run() int }, known ...string) {
	os.Exit(exitCode(m, known, os.Stderr))
}

func exitCode(m interface{ Run() int }, known []string, report io.Writer) int {
	code := m.Run()
	if code != 0 {
		return code
	}
	if left := wait(nil, known, grace); len(left) > 0 {
		fmt.Fprintf(report, "leak: after all tests %s\n", describe(left))
		return 1
	}
	return 0
}

// Check remembers the goroutines that run now, and fails tb, when it ends, for every other one that
// does not end by itself within five seconds. It sees the whole process: do not use it
// while other tests run in parallel. Cleanups that tb registered after Check run before the
// comparison. A goroutine whose stack contains one of known is no leak.
func Check(tb testing.TB, known ...string) {
	tb.Helper()
	before := make(map[string]bool)
	for _, g := range goroutines() {
		before[g.id] = true
	}
	tb.Cleanup(func() {
		tb.Helper()
		if left := wait(before, known, grace); len(left) > 0 {
			tb.Errorf("leak: after %s %s", tb.Name(), describe(left))
		}
	})
}

// goroutine is one entry of a dump of all stacks.
type goroutine struct {
	id    string // the number the runtime gave it
	stack string // its whole entry, header included
}

// wait polls until no goroutine runs but those in before, those of known and the expected ones, or
// until limit has passed, and returns what still runs then.
func wait(before map[string]bool, known []string, limit time.Duration) []goroutine {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		var left []goroutine
		for _, g := range goroutines() {
			if !before[g.id] && !isExpected(g) && !containsAny(g.stack, known) {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

// goroutines returns every goroutine but the calling one.
func goroutines() []goroutine {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	return parse(string(buf[:n]))
}

// parse splits a dump, as runtime.Stack writes it, and leaves out the first entry, which is that of
// the goroutine that called runtime.Stack.
func parse(dump string) []goroutine {
	var all []goroutine
	for i, entry := range strings.Split(strings.TrimSpace(dump), "\n\n") {
		rest, ok := strings.CutPrefix(entry, "goroutine ")
		if i == 0 || !ok {
			continue
		}
		id, _, _ := strings.Cut(rest, " ")
		all = append(all, goroutine{id: id, stack: entry})
	}
	return all
}

func containsAny(s string, substrings []string) bool {
	for _, sub := range substrings {
		if strings.Contains(s, sub) {
			return true
		}
	}
	return false
}

func describe(left []goroutine) string {
	var b strings.Builder
	noun := "goroutines still run"
	if len(left) == 1 {
		noun = "goroutine still runs"
	}
	fmt.Fprintf(&b, "%d %s:", len(left), noun)
	for _, g := range left {
		b.WriteString("\n\n")
		b.WriteString(g.stack)
	}
	return b.String()
}
