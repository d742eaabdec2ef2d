//go:build js

package client_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hack-pad/safejs"

	"github.com/isosocket/isosocket"
	"github.com/isosocket/isosocket/errors"
)

// replaceWebSocket replaces the WebSocket constructor with value until the test ends.
func replaceWebSocket(t *testing.T, value any) {
	t.Helper()
	before := must[safejs.Value](t)(safejs.Global().Get("WebSocket"))
	if err := safejs.Global().Set("WebSocket", value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := safejs.Global().Set("WebSocket", before); err != nil {
			t.Error(err)
		}
	})
}

func TestDialWithoutWebSocket(t *testing.T) {
	for name, value := range map[string]any{"undefined": safejs.Undefined(), "no function": "WebSocket"} {
		t.Run(name, func(t *testing.T) {
			replaceWebSocket(t, value)
			_, err := isosocket.Dial(t.Context(), "ws://localhost/", nil)
			if failed, ok := errors.AsType[*errors.ConnectionError](err); !ok || failed.StatusCode != 0 ||
				!strings.Contains(err.Error(), "no WebSocket") {
				t.Errorf("Dial returned %v", err)
			}
		})
	}
}

// TestDialConstructorThrows checks that Dial returns an exception of the constructor, and as
// ErrInvalidURL only if the URL is the reason.
func TestDialConstructorThrows(t *testing.T) {
	// A Promise's argument must be a function.
	replaceWebSocket(t, must[safejs.Value](t)(safejs.Global().Get("Promise")))
	_, err := isosocket.Dial(t.Context(), "ws://localhost/", nil)
	if _, ok := errors.AsType[*errors.ConnectionError](err); !ok || errors.Is(err, errors.ErrInvalidURL) {
		t.Errorf("Dial returned %v", err)
	}
	_, err = isosocket.Dial(t.Context(), "ws://[::zz]/", nil)
	if !errors.Is(err, errors.ErrInvalidURL) || !strings.Contains(err.Error(), "invalid URL") {
		t.Errorf("Dial returned %v", err)
	}
}

func TestDialOptionsThatABrowserCannotHonour(t *testing.T) {
	made := 0
	constructor := must[safejs.Func](t)(safejs.FuncOf(func(safejs.Value, []safejs.Value) any { made++; return nil }))
	t.Cleanup(constructor.Release)
	replaceWebSocket(t, constructor)
	for field, o := range map[string]*isosocket.DialOptions{
		"Header":       {Header: map[string][]string{"Authorization": {"x"}}},
		"PingInterval": {PingInterval: time.Second},
		"PingTimeout":  {PingTimeout: time.Second},
	} {
		_, err := isosocket.Dial(t.Context(), "ws://localhost/", o)
		if _, ok := errors.AsType[*errors.ConnectionError](err); !ok || !errors.Is(err, errors.ErrUnsupported) ||
			!strings.Contains(err.Error(), field) {
			t.Errorf("with %s Dial returned %v", field, err)
		}
	}
	if made > 0 {
		t.Error("a WebSocket was made")
	}
}
