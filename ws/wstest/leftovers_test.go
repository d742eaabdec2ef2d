package wstest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// closeGrace is the time in which sockets must be closed after their case.
const closeGrace = 10 * time.Second

// expectClosed fails t for a socket that is not closed before deadline.
func expectClosed(t testing.TB, deadline time.Time, name string, closed func() bool) {
	t.Helper()
	for ; !closed(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%s was left open", name)
			return
		}
	}
}

// recorder is a testing.TB that records its failures and logs.
type recorder struct {
	testing.TB
	cleanups []func()
	failures []string
}

func (r *recorder) Helper()          {}
func (r *recorder) Name() string     { return "P00" }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// leftover is something that a case does not clean up.
type leftover struct {
	name  string
	leave func(t *testing.T) // and removes it when t ends
	want  string             // part of the check's failure; empty means none
}

// TestCheckLeftFails checks that a case fails for each kind of resource that it leaves.
func TestCheckLeftFails(t *testing.T) {
	for _, test := range append(leftovers,
		leftover{"a goroutine", func(t *testing.T) {
			stop := make(chan struct{})
			t.Cleanup(func() { close(stop) })
			go func() { <-stop }()
		}, "TestCheckLeftFails"},
		leftover{"nothing", func(*testing.T) {}, ""},
	) {
		t.Run(test.name, func(t *testing.T) {
			var r recorder
			checkLeft(&r)
			test.leave(t)
			synctest.Test(t, func(*testing.T) { // for the waits to take no time
				for i := len(r.cleanups) - 1; i >= 0; i-- {
					r.cleanups[i]()
				}
			})
			if test.want == "" {
				if len(r.failures) > 0 {
					t.Errorf("the check reported %q, want nothing", r.failures)
				}
			} else if len(r.failures) != 1 || !strings.Contains(r.failures[0], test.want) {
				t.Errorf("the check reported %q, want one failure with %q", r.failures, test.want)
			}
		})
	}
}
