//go:build js

package wstest_test

import (
	"testing"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket/internal/testing/leak"
)

var leftovers = []leftover{
	{"a callback", func(t *testing.T) {
		if !leak.CountsCallbacks {
			t.Skip("built without -tags=callbacks -ldflags=-checklinkname=0")
		}
		f, err := safejs.FuncOf(func(safejs.Value, []safejs.Value) any { return nil })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Release)
	}, "1 callback was not released"},
	{"a socket", func(t *testing.T) { pretendMade(t, 1) }, "the socket to ws://pretended/ was left open"},
	{"a socket that is closing", func(t *testing.T) { pretendMade(t, 2) }, ""},
}

// pretendMade records a fake socket in readyState.
func pretendMade(t *testing.T, readyState int) {
	made.Call("push", map[string]any{"url": "ws://pretended/", "readyState": readyState})
	t.Cleanup(func() { made.Set("length", 0) })
}
