//go:build !js

package browser

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/runtime"
)

func TestConsoleText(t *testing.T) {
	tests := []struct {
		name string
		args []*runtime.RemoteObject
		want string
	}{
		{"nothing", nil, ""},
		{"string", []*runtime.RemoteObject{{Value: jsonv2.Value(`"a \"b\""`)}}, `a "b"`},
		{"values", []*runtime.RemoteObject{{Value: jsonv2.Value(`1.5`)}, {Value: jsonv2.Value(`true`)}, {Value: jsonv2.Value(`null`)}}, "1.5 true null"},
		{"NaN", []*runtime.RemoteObject{{UnserializableValue: "NaN"}}, "NaN"},
		{"object", []*runtime.RemoteObject{{Type: "object", Description: "WebSocket"}}, "WebSocket"},
		{"undefined", []*runtime.RemoteObject{{Type: "undefined"}}, "undefined"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := consoleText(tt.args); got != tt.want {
				t.Errorf("consoleText = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestConsoleKeepsOrderAndExceptions(t *testing.T) {
	page := &Page{}
	if got := page.Console(); got != "(empty)" {
		t.Errorf("an empty console is %q", got)
	}
	recordChromium(page, &runtime.EventConsoleAPICalled{Type: "log", Args: []*runtime.RemoteObject{{Value: jsonv2.Value(`"one"`)}}})
	recordChromium(page, &runtime.EventExceptionThrown{ExceptionDetails: &runtime.ExceptionDetails{
		Text: "Uncaught", Exception: &runtime.RemoteObject{Description: "TypeError: two"}}})
	recordChromium(page, &runtime.EventExceptionThrown{ExceptionDetails: &runtime.ExceptionDetails{Text: "three"}})
	if got, want := page.Console(), "log: one\nexception: Uncaught TypeError: two\nexception: three\n"; got != want {
		t.Errorf("the console is %q, want %q", got, want)
	}
	if got, want := page.Exceptions(), []string{"Uncaught TypeError: two", "three"}; !slices.Equal(got, want) {
		t.Errorf("the exceptions are %q, want %q", got, want)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	output := &tail{limit: 5}
	for _, s := range []string{"abc", "defg", strings.Repeat("x", 4), "yz"} {
		if n, err := output.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("Write(%q) = %d, %v", s, n, err)
		}
	}
	if got := output.String(); got != "xxxyz" {
		t.Errorf("the tail is %q, want the last 5 bytes, xxxyz", got)
	}
}
