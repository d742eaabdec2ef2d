//go:build js && callbacks

package leak

import (
	"strings"
	"syscall/js"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hack-pad/safejs"
)

// makers are the ways to make a callback.
var makers = []struct {
	name     string
	callback func(t *testing.T) (release func())
}{
	{"syscall/js", func(t *testing.T) func() {
		return js.FuncOf(func(js.Value, []js.Value) any { return nil }).Release
	}},
	{"safejs", func(t *testing.T) func() {
		f, err := safejs.FuncOf(func(safejs.Value, []safejs.Value) any { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return f.Release
	}},
}

func TestCheckFindsCallbacks(t *testing.T) {
	for _, maker := range makers {
		t.Run(maker.name, func(t *testing.T) {
			for count, want := range []string{"", "after TestRecorded 1 callback was not released", "after TestRecorded 2 callbacks were not released"} {
				defer maker.callback(t)() // earlier callbacks are not counted
				r := &recorder{}
				Check(r)
				maker.callback(t)()
				for range count { // outside of the bubble, because they would stop its clock
					defer maker.callback(t)()
				}
				synctest.Test(t, func(*testing.T) { r.finish() }) // for the grace period to pass at once
				if got := strings.Join(r.failures, "\n"); !strings.HasSuffix(got, want) || (got == "") != (want == "") {
					t.Errorf("Check reported %q for %d callbacks, want %q", got, count, want)
				}
			}
		})
	}
}

func TestCheckWaitsForTheRelease(t *testing.T) {
	for _, maker := range makers {
		t.Run(maker.name, func(t *testing.T) {
			r := &recorder{}
			Check(r)
			time.AfterFunc(20*time.Millisecond, maker.callback(t))
			r.finish()
			if len(r.failures) != 0 {
				t.Errorf("Check reported %q for a callback that was released", r.failures)
			}
		})
	}
}
