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

// grace is the time for goroutines to end and callbacks to be released. It is longer than the
// five seconds for which a connection waits, by default, for the answer to its close frame.
const grace = 10 * time.Second

// expected identifies the goroutines of the Go runtime and the testing package by text in their
// stacks.
var expected = []string{
	"testing.(*M).startAlarm",
	"testing.(*T).Run(", // a parent that waits for its subtest
	"testing.(*F).Fuzz",
	"testing.runFuzzing",
	"testing.runTests",
	"testing.tRunner.func", // a parallel subtest's parent
	"testing.(*T).Parallel",
	"testing/synctest.", // a test that waits for its bubble
	"internal/fuzz.",
	"os/signal.loop",
	"os/signal.signal_recv",
	"runtime/pprof.profileWriter",
	"runtime/trace.",
	"runtime.ReadTrace",
	"runtime.ensureSigM",
}

// isExpected reports whether g belongs to the runtime or the testing package.
func isExpected(g goroutine) bool {
	if containsAny(g.stack, expected) {
		return true
	}
	// In a browser, the runtime handles calls from JavaScript on goroutines that it keeps when
	// they are idle. One inside a callback does not belong to the runtime.
	ofEvents := strings.Contains(g.stack, "runtime.handleEvent(") || strings.Contains(g.stack, "runtime.handleAsyncEvent(")
	return ofEvents && !strings.Contains(g.stack, "syscall/js.handleEvent(")
}

// Main runs the tests of m and ends the process with their exit code, or with 1 if they passed
// but goroutines or callbacks remain. It prints the stacks of these goroutines. A goroutine
// whose stack contains one of known (such as a function's name) is not a leak. Main does not
// return.
func Main(m interface{ Run() int }, known ...string) {
	os.Exit(exitCode(m, known, os.Stderr))
}

func exitCode(m interface{ Run() int }, known []string, report io.Writer) int {
	before := present{callbacks: callbacks()} // callbacks of package variables
	code := m.Run()
	if code != 0 {
		return code
	}
	if left := wait(before, known, grace); left.any() {
		fmt.Fprintf(report, "leak: after all tests %s\n", left)
		return 1
	}
	return 0
}

// Check records the current goroutines and callbacks. When tb ends, Check fails it if others
// remain for ten seconds. It sees the whole process: do not use it while other tests run in
// parallel. Cleanups that tb registered after Check run before the comparison. A goroutine whose
// stack contains one of known is no leak.
func Check(tb testing.TB, known ...string) {
	tb.Helper()
	before := present{goroutines: make(map[string]bool), callbacks: callbacks()}
	for _, g := range goroutines() {
		before.goroutines[g.id] = true
	}
	tb.Cleanup(func() {
		tb.Helper()
		if left := wait(before, known, grace); left.any() {
			tb.Errorf("leak: after %s %s", tb.Name(), left)
		}
	})
}

// present holds the goroutines and callbacks of one moment.
type present struct {
	goroutines map[string]bool // by the number that the runtime gave each
	callbacks  map[uint32]bool // by the number that syscall/js gave each
}

// goroutine is one entry of a dump of all stacks.
type goroutine struct {
	id    string // the number the runtime gave it
	stack string // its whole entry, header included
}

// leftovers are goroutines and callbacks that should not exist.
type leftovers struct {
	goroutines []goroutine
	callbacks  int
}

func (l leftovers) any() bool { return len(l.goroutines) > 0 || l.callbacks > 0 }

// since returns the goroutines and callbacks that are not in before, except known and expected
// ones.
func since(before present, known []string) (l leftovers) {
	for _, g := range goroutines() {
		if !before.goroutines[g.id] && !isExpected(g) && !containsAny(g.stack, known) {
			l.goroutines = append(l.goroutines, g)
		}
	}
	for id := range callbacks() {
		if !before.callbacks[id] {
			l.callbacks++
		}
	}
	return l
}

// wait polls until there are no leftovers since before, or until limit has passed, and returns
// the leftovers.
func wait(before present, known []string, limit time.Duration) leftovers {
	deadline := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		left := since(before, known)
		if !left.any() || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
	}
}

// goroutines returns all goroutines except the calling one.
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

// String says how many of each there are, and shows the goroutines' stacks.
func (l leftovers) String() string {
	var parts []string
	if l.callbacks > 0 {
		parts = append(parts, plural(l.callbacks, "callback was not released", "callbacks were not released"))
	}
	if n := len(l.goroutines); n > 0 {
		text := plural(n, "goroutine still runs:", "goroutines still run:")
		for _, g := range l.goroutines {
			text += "\n\n" + g.stack
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", and ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
