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

// trust does nothing in a browser: the program that starts it configures the certificates.
func trust(string) *isosocket.NativeOptions { return nil }

// made holds the sockets that were made since the current case began. It is a JavaScript array,
// because cases count the objects on Go's heap.
var made = js.Global().Get("Array").New()

// init replaces the WebSocket constructor with a function that records each socket in made. The
// page's content security policy does not allow a script for that.
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

// checkLeft fails t if a case leaves a goroutine, a callback, or a socket that is not closed.
func checkLeft(t testing.TB) {
	t.Helper()
	leak.Check(t)
	made.Set("length", 0)
	t.Cleanup(func() {
		const closing = 2 // a socket whose peer never answers stays in this state
		deadline := time.Now().Add(closeGrace)
		for i := range made.Length() {
			socket := made.Index(i)
			expectClosed(t, deadline, "the socket to "+socket.Get("url").String(), func() bool { return socket.Get("readyState").Int() >= closing })
		}
	})
}
