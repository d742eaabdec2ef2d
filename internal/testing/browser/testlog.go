//go:build !js

package browser

import (
	"regexp"
	"strings"
	"time"
)

// TestStatus is how a test of a wasm test binary ended.
type TestStatus int

// The ways a test ends. Unfinished is the zero value: the output has the start of the test but
// not its end.
const (
	Unfinished TestStatus = iota
	Passed
	Failed
	Skipped
)

// String returns the status in one lower-case word.
func (s TestStatus) String() string {
	switch s {
	case Passed:
		return "passed"
	case Failed:
		return "failed"
	case Skipped:
		return "skipped"
	}
	return "unfinished"
}

// TestResult is a test, subtest, example or fuzz target that a wasm test binary ran.
type TestResult struct {
	Name     string // as in the testing package, with the parents' names: "TestEcho/64_KiB"
	Status   TestStatus
	Elapsed  time.Duration // as the binary measured it; zero if unfinished
	Subtests []*TestResult // in the order in which they began

	leaf   string // Name without the parent's
	output strings.Builder
}

// Output returns the output of the test itself, without that of its subtests.
func (t *TestResult) Output() string { return t.output.String() }

// testLog parses the output of a test binary that runs with -test.v=test2json. In that mode the
// testing package marks each of its own lines with a control byte, and prints the end of each
// subtest when it ends.
type testLog struct {
	pending string                 // the incomplete last line
	marked  bool                   // pending began with the marker
	tests   map[string]*TestResult // by full name
	roots   []*TestResult          // in the order in which they began
	done    int                    // roots[:done] have been returned by write
	current *TestResult            // the test that is writing now, or nil
	outside strings.Builder        // output outside of tests, mainly that of a crash
	verdict string                 // "PASS" or "FAIL", the binary's last line
}

// marker begins each line of the testing package: ^V, "synchronous idle".
const marker = "\x16"

var (
	startLine = regexp.MustCompile(`^=== (RUN|PAUSE|CONT|NAME|ATTR|ARTIFACTS) +(\S*)(.*)$`)
	endLine   = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP|BENCH): (\S+) \(([0-9.]+)s\)$`)
)

// write parses the next piece of output, which may begin and end anywhere, and returns the
// top-level tests that have ended, each once, in the order in which they began.
func (l *testLog) write(text string) []*TestResult {
	if l.tests == nil {
		l.tests = make(map[string]*TestResult)
	}
	for text != "" {
		end := strings.IndexAny(text, "\n"+marker)
		if end < 0 {
			l.pending += text
			break
		}
		l.pending += text[:end]
		if text[end] == '\n' {
			l.line(l.pending, l.marked, "\n")
			l.marked = false
		} else {
			// The marker may follow a line that a test did not end.
			if l.pending != "" || l.marked {
				l.line(l.pending, l.marked, "\n")
			}
			l.marked = true
		}
		l.pending = ""
		text = text[end+1:]
	}
	return l.finished()
}

// close parses the rest of the output and returns the top-level tests that write has not
// returned, finished or not.
func (l *testLog) close() []*TestResult {
	if l.pending != "" {
		l.line(l.pending, l.marked, "")
		l.pending, l.marked = "", false
	}
	rest := l.roots[l.done:]
	l.done = len(l.roots)
	return rest
}

func (l *testLog) finished() []*TestResult {
	first := l.done
	for l.done < len(l.roots) && l.roots[l.done].Status != Unfinished {
		l.done++
	}
	return l.roots[first:l.done]
}

func (l *testLog) line(line string, marked bool, ending string) {
	if !marked {
		l.output(l.current, line+ending)
		return
	}
	if m := startLine.FindStringSubmatch(line); m != nil {
		switch m[1] {
		case "RUN":
			l.current = l.begin(m[2])
		case "CONT", "NAME":
			l.current = l.tests[m[2]]
		case "PAUSE":
			l.current = nil
		default:
			l.output(l.tests[m[2]], line+ending)
		}
		return
	}
	if m := endLine.FindStringSubmatch(line); m != nil {
		if test := l.tests[m[2]]; test != nil {
			l.end(test, m[1], m[3])
			// The output of a crash after this line belongs to the binary if write has returned
			// the test.
			l.current = test
			if test.parentless() {
				l.current = nil
			}
			return
		}
	}
	if line == "PASS" || line == "FAIL" {
		l.verdict = line
		l.current = nil
		return
	}
	l.output(l.current, line+ending)
}

func (l *testLog) begin(name string) *TestResult {
	test := &TestResult{Name: name, leaf: name}
	l.tests[name] = test
	// A subtest's own name may contain slashes, so its parent is the longest prefix that is a test.
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if parent := l.tests[name[:i]]; parent != nil {
			test.leaf = name[i+1:]
			parent.Subtests = append(parent.Subtests, test)
			return test
		}
	}
	l.roots = append(l.roots, test)
	return test
}

func (l *testLog) end(test *TestResult, status, seconds string) {
	switch status {
	case "FAIL":
		test.Status = Failed
	case "SKIP":
		test.Status = Skipped
	default:
		test.Status = Passed
	}
	test.Elapsed, _ = time.ParseDuration(seconds + "s") // the expression matches digits and a point only
}

func (l *testLog) output(test *TestResult, text string) {
	if test == nil {
		l.outside.WriteString(text)
		return
	}
	test.output.WriteString(text)
}

// parentless reports whether t is a top-level test.
func (t *TestResult) parentless() bool { return t.leaf == t.Name }

// unfinished appends the names of t's tests that did not end.
func (t *TestResult) unfinished(names []string) []string {
	if t.Status == Unfinished {
		names = append(names, t.Name)
	}
	for _, sub := range t.Subtests {
		names = sub.unfinished(names)
	}
	return names
}
