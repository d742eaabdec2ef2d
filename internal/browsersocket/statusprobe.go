//go:build js

package browsersocket

import (
	"context"
	"strings"

	"github.com/isosocket/isosocket/errors"
	"github.com/isosocket/isosocket/internal/jscall"
)

// probeStatus asks with fetch why a handshake failed, since a browser does not
// tell. It puts the HTTP status of a plain GET of the same address into failed,
// unless there is none that may be read or it was a success, and with it the
// Retry-After field.
func probeStatus(ctx context.Context, url string, failed *errors.ConnectionError) {
	var js jscall.Builtins
	controller := js.New("AbortController")
	signal := js.Property(controller, "signal")
	if js.Err != nil {
		return
	}
	// Ends a body that is still coming, too.
	defer func() { _, _ = controller.Call("abort") }()
	promise, err := jscall.Global().Call("fetch", "http"+strings.TrimPrefix(url, "ws"), map[string]any{
		"method":      "GET",
		"redirect":    "manual",
		"credentials": "include",
		"cache":       "no-store",
		"signal":      signal,
	})
	if err != nil {
		return
	}
	answer := make(chan refusal, 1)
	var resolved, rejected jscall.Func
	settle := func(r refusal) any {
		resolved.Release()
		rejected.Release()
		answer <- r
		return nil
	}
	if resolved, err = jscall.FuncOf(func(_ jscall.Value, args []jscall.Value) any {
		return settle(refusalOf(args[0]))
	}); err != nil {
		return
	}
	if rejected, err = jscall.FuncOf(func(jscall.Value, []jscall.Value) any { return settle(refusal{}) }); err != nil {
		resolved.Release()
		return
	}
	if _, err = promise.Call("then", resolved, rejected); err != nil {
		settle(refusal{})
	}
	select {
	case r := <-answer:
		failed.StatusCode = r.status
		if r.retryAfter != "" {
			failed.Header = map[string][]string{"Retry-After": {r.retryAfter}}
		}
	case <-ctx.Done():
		// The abort that follows settles the promise, which releases the callbacks.
	}
}

// refusal is what a page may know of an answer that says no.
type refusal struct {
	status     int
	retryAfter string
}

// refusalOf reads a fetch Response. The refusal of a success is empty.
func refusalOf(response jscall.Value) (r refusal) {
	v, err := response.Get("status")
	if err != nil {
		return r
	}
	status, err := v.Int()
	if err != nil || status >= 200 && status < 300 {
		return r
	}
	r.status = status
	var js jscall.Builtins
	if value := js.Call(js.Property(response, "headers"), "get", "Retry-After"); js.Err == nil && value.Type() == jscall.TypeString {
		r.retryAfter, _ = value.String()
	}
	return r
}
