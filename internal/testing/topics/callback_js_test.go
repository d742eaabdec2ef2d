//go:build js

package topics_test

import (
	"strings"
	"testing"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/ws"
)

// TestCallback checks that calls that would wait return an error inside a JavaScript callback, and do
// not block the page.
func TestCallback(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.url, "user=ann")
	s := w.joined(c.Subscribe(w.name, nil))
	wouldBlock := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, errors.ErrWouldBlock) || !strings.Contains(err.Error(), call+" cannot wait inside a JavaScript callback") {
			t.Errorf("%s returned %v, want ErrWouldBlock", call, err)
		}
	}
	done := make(chan struct{})
	callback, err := safejs.FuncOf(func(safejs.Value, []safejs.Value) any {
		defer close(done)
		_, err := s.Receive(t.Context())
		wouldBlock("Receive", err)
		_, err = c.Publish(t.Context(), w.name, ws.Text("x"), nil)
		wouldBlock("Publish", err)
		for _, err := range s.Present(t.Context()) {
			wouldBlock("Present", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer callback.Release()
	if _, err := safejs.Global().Call("setTimeout", callback, 0); err != nil {
		t.Fatal(err)
	}
	<-done
	w.publish(w.name, "goes on")
	w.expect(s, "goes on")
}
