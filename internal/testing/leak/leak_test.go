package leak

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// recorder is a testing.TB that records its failures and logs.
type recorder struct {
	testing.TB
	cleanups []func()
	failures []string
}

func (r *recorder) Helper()          {}
func (r *recorder) Name() string     { return "TestRecorded" }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) finish() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

type run int

func (r run) Run() int { return int(r) }

// leakOn blocks until release is closed; its name is what the tests look for in stacks.
func leakOn(release chan struct{}) { <-release }

func TestWaitFindsGoroutineThatStays(t *testing.T) {
	release := make(chan struct{})
	go leakOn(release)
	left := wait(present{}, nil, 10*time.Millisecond)
	if len(left.goroutines) != 1 || !strings.Contains(left.goroutines[0].stack, "leakOn") {
		t.Errorf("wait found %v, want the one goroutine in leakOn", left)
	}
	if text := left.String(); !strings.Contains(text, "1 goroutine still runs") || !strings.Contains(text, "leakOn") {
		t.Errorf("String gave %q, want the count and the stack", text)
	}
	close(release)
	if left := wait(present{}, nil, grace); left.any() {
		t.Errorf("after release wait found %s", left)
	}
}

func TestWaitIgnoresKnown(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	go leakOn(release)
	if left := wait(present{}, []string{"leak.leakOn"}, grace); left.any() {
		t.Errorf("a known goroutine was reported: %s", left)
	}
}

func TestCheckWaitsForGoroutineThatEnds(t *testing.T) {
	r := &recorder{}
	Check(r)
	release := make(chan struct{})
	go leakOn(release)
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	r.finish()
	if len(r.failures) != 0 {
		t.Errorf("Check reported %q for a goroutine that ended", r.failures)
	}
}

func TestCheckIgnoresOlderGoroutines(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	go leakOn(release)
	r := &recorder{}
	Check(r)
	r.finish()
	if len(r.failures) != 0 {
		t.Errorf("Check reported %q for a goroutine older than itself", r.failures)
	}
}

func TestCheckNamesTheLeak(t *testing.T) {
	r := &recorder{}
	synctest.Test(t, func(t *testing.T) { // for the grace period to pass at once
		Check(r)
		release := make(chan struct{})
		go leakOn(release)
		r.finish()
		close(release)
	})
	if len(r.failures) != 1 || !strings.Contains(r.failures[0], "leakOn") || !strings.Contains(r.failures[0], "TestRecorded") {
		t.Errorf("Check reported %q, want one failure that names the test and leakOn", r.failures)
	}
}

func TestExitCode(t *testing.T) {
	for _, code := range []int{0, 3} {
		var report strings.Builder
		if got := exitCode(run(code), nil, &report); got != code || report.Len() > 0 {
			t.Errorf("a run with code %d gave exit code %d and printed %q, want its own code and no output", code, got, report.String())
		}
	}
	var code int
	var report strings.Builder // not standard error: js cannot write to that from a bubble
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		go leakOn(release) // in the bubble, the grace period passes at once
		code = exitCode(run(0), nil, &report)
	})
	if code != 1 || !strings.Contains(report.String(), "leakOn") {
		t.Errorf("a run that leaked gave exit code %d and printed %q, want 1 and the stack", code, report.String())
	}
}

func TestIsExpected(t *testing.T) {
	tests := []struct {
		name, stack string
		want        bool
	}{
		{"js: an idle event goroutine", "goroutine 9 [waiting]:\nruntime.gopark(0x0)\nruntime.handleEvent()\n", true},
		{"js: a callback that blocks", "goroutine 9 [select]:\nmain.blocked()\nsyscall/js.handleEvent()\nruntime.handleEvent()\n", false},
		{"signal delivery", "goroutine 5 [syscall]:\nos/signal.signal_recv()\nos/signal.loop()\n", true},
		{"of the program", "goroutine 5 [select]:\nmain.worker()\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := isExpected(goroutine{id: "5", stack: tt.stack}); got != tt.want {
				t.Errorf("isExpected(%q) = %v, want %v", tt.stack, got, tt.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	const dump = `goroutine 1 [running]:
main.main()
	/src/main.go:1 +0x1

goroutine 18 [chan receive, 2 minutes]:
main.worker(0xc000)
	/src/main.go:9 +0x2
created by main.main in goroutine 1
	/src/main.go:5 +0x3

goroutine 19 [select, synctest bubble 4]:
main.other()
	/src/main.go:20 +0x2
`
	got := parse(dump)
	if len(got) != 2 || got[0].id != "18" || got[1].id != "19" {
		t.Fatalf("parse found %+v, want goroutines 18 and 19", got)
	}
	if !strings.HasSuffix(got[0].stack, "main.go:5 +0x3") || !strings.HasPrefix(got[0].stack, "goroutine 18 [") {
		t.Errorf("stack of 18 is %q, want its whole entry", got[0].stack)
	}
	if got := parse(""); len(got) != 0 {
		t.Errorf("parse of nothing found %+v", got)
	}
}
