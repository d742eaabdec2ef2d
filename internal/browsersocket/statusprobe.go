//go:build js

package browsersocket

import (
	"context"
	"strings"

	"github.com/hack-pad/safejs"
)

// probeStatus asks with fetch why a handshake failed, since a browser does not
// tell. It returns the HTTP status of a plain GET of the same address, or 0 if
// there is none that may be read, or if it was a success.
func probeStatus(ctx context.Context, url string) int {
	var js builtins
	controller := js.new("AbortController")
	signal := js.property(controller, "signal")
	if js.err != nil {
		return 0
	}
	// Ends a body that is still coming, too.
	defer func() { _, _ = controller.Call("abort") }()
	promise, err := safejs.Global().Call("fetch", "http"+strings.TrimPrefix(url, "ws"), map[string]any{
		"method":      "GET",
		"redirect":    "manual",
		"credentials": "include",
		"cache":       "no-store",
		"signal":      signal,
	})
	if err != nil {
		return 0
	}
	answer := make(chan int, 1)
	var resolved, rejected safejs.Func
	settle := func(status int) any {
		resolved.Release()
		rejected.Release()
		answer <- status
		return nil
	}
	if resolved, err = safejs.FuncOf(func(_ safejs.Value, args []safejs.Value) any {
		return settle(refusalStatus(args[0]))
	}); err != nil {
		return 0
	}
	if rejected, err = safejs.FuncOf(func(safejs.Value, []safejs.Value) any { return settle(0) }); err != nil {
		resolved.Release()
		return 0
	}
	if _, err = promise.Call("then", resolved, rejected); err != nil {
		settle(0)
	}
	select {
	case status := <-answer:
		return status
	case <-ctx.Done():
		// The abort that follows settles the promise, which releases the callbacks.
		return 0
	}
}

// refusalStatus returns the status of a fetch Response that says no.
func refusalStatus(response safejs.Value) int {
	v, err := response.Get("status")
	if err != nil {
		return 0
	}
	status, err := v.Int()
	if err != nil || status >= 200 && status < 300 {
		return 0
	}
	return status
}
