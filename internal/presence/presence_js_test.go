//go:build js

package presence

import (
	"testing"
	"time"

	"github.com/isosocket/isosocket/internal/jscall"
)

// A return is kept until it is received, and the last one replaces the earlier ones.
func TestReturnIsKept(t *testing.T) {
	w := Watch()
	defer w.Stop()
	if len(w.listeners) == 0 {
		t.Skip("this JavaScript environment has no events")
	}
	var js jscall.Builtins
	online := func() {
		js.Call(jscall.Global(), "dispatchEvent", js.New("Event", "online"))
		if js.Err != nil {
			t.Fatal(js.Err)
		}
	}
	online()
	time.Sleep(10 * time.Millisecond)
	last := time.Now()
	online()
	select {
	case at := <-w.Returned():
		if at.Before(last) {
			t.Errorf("the return of %v is kept, want the last one, after %v", at, last)
		}
	default:
		t.Fatal("the return is not kept")
	}
	select {
	case at := <-w.Returned():
		t.Errorf("another return of %v is kept", at)
	default:
	}
	w.Stop()
	online()
	if len(w.Returned()) > 0 {
		t.Error("a return is noted after Stop")
	}
}
