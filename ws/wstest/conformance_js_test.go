//go:build js

package wstest_test

import (
	"encoding/json"
	"os"
	"syscall/js"
	"testing"
	"time"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/internal/testing/leak"
	"github.com/isosocket/isosocket/ws/wstest"
)

const (
	name  = "browser"
	class = wstest.Browser
)

func serverAddresses(t *testing.T) (a wstest.Addresses) {
	t.Helper()
	s := os.Getenv("WSTEST_SERVER")
	if s == "" {
		t.Skip("WSTEST_SERVER does not hold the addresses of the native test server")
	}
	if err := json.Unmarshal([]byte(s), &a); err != nil {
		t.Fatalf("WSTEST_SERVER: %v", err)
	}
	return a
}

// trust does nothing in a browser, which is configured from outside.
func trust(string) *isosocket.NativeOptions { return nil }

// made holds the sockets that were made since the current case began. It is JavaScript's,
// so that it is nothing on Go's heap.
var made = js.Global().Get("Array").New()

// init puts a function in the place of the WebSocket constructor that keeps account of what
// it makes. The page's content security policy allows no script of ours.
func init() {
	real := js.Global().Get("WebSocket")
	if real.Type() != js.TypeFunction {
		return
	}
	constructor := js.FuncOf(func(_ js.Value, args []js.Value) any {
		list := js.Global().Get("Array").New()
		for _, arg := range args {
			list.Call("push", arg)
		}
		socket := js.Global().Get("Reflect").Call("construct", real, list)
		made.Call("push", socket)
		return socket
	}).Value
	constructor.Set("prototype", real.Get("prototype"))
	js.Global().Set("WebSocket", constructor)
}

// checkLeft fails t if a case leaves a goroutine or a callback behind, or a socket that
// nobody has closed.
func checkLeft(t testing.TB) {
	t.Helper()
	leak.Check(t)
	made.Set("length", 0)
	t.Cleanup(func() {
		const closing = 2 // where a socket stays whose peer never answers
		deadline := time.Now().Add(closeGrace)
		for i := range made.Length() {
			socket := made.Index(i)
			expectClosed(t, deadline, "the socket to "+socket.Get("url").String(), func() bool { return socket.Get("readyState").Int() >= closing })
		}
	})
}
