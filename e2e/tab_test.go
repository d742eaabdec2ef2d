//go:build !js

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/isosocket/isosocket/internal/testing/browser"
)

// tab is a tab with the demo's page.
type tab struct {
	t *testing.T
	*browser.Page
	engine browser.Engine
}

// openTab opens a tab with url. In Chromium, it performs before before it loads the page.
func openTab(t *testing.T, b *browser.Browser, url string, before ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	tb := &tab{t, b.NewPage(t), b.Engine}
	tb.do(before...)
	tb.acts("opening "+url, func(ctx context.Context) error { return tb.Navigate(ctx, url) })
	return tb
}

// openChat opens a tab with the page of s, and waits until name has joined.
func openChat(t *testing.T, b *browser.Browser, s *demoServer, name string) *tab {
	t.Helper()
	tb := openTab(t, b, s.page()+"?name="+name)
	tb.waits("joined as "+name, `phase() === "open" && $("name").value === "`+name+`"`)
	return tb
}

// acts performs an action in the page, which must take less than patience.
func (tb *tab) acts(what string, action func(ctx context.Context) error) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := action(ctx); err != nil {
		tb.t.Fatalf("%s: %v", what, err)
	}
}

func (tb *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if len(actions) > 0 {
		tb.acts("chromedp", func(ctx context.Context) error { return chromedp.Do(ctx, actions...) })
	}
}

// words defines the JavaScript functions for the expressions of these tests.
const words = `
	const $ = (id) => document.getElementById(id);
	const visible = (id) => $(id).checkVisibility();
	const text = (id) => visible(id) ? $(id).textContent : "";
	const phase = () => $("status").dataset.phase;
	const people = () => [...$("people").querySelectorAll("li")].map((li) => li.dataset.name).join(" ");
	const texts = () => [...$("log").querySelectorAll(".message")].map((li) => li.dataset.from + ": " + li.querySelector(".text").textContent);
	const said = (line) => texts().includes(line);
	const happened = (words) => [...$("log").querySelectorAll(".event")].some((li) => li.textContent.includes(words));
`

// eval returns the value of a JavaScript expression in the page.
func eval[T any](tb *tab, expression string) T {
	tb.t.Helper()
	var value T
	tb.acts(expression, func(ctx context.Context) error {
		return tb.Evaluate(ctx, "(() => {"+words+"return ("+expression+")})()", &value)
	})
	return value
}

// waits waits until expression is true. what describes that for a failure.
func (tb *tab) waits(what, expression string) {
	tb.t.Helper()
	// Polling in the page would need eval, which its content security policy forbids.
	for late := time.Now().Add(patience); !eval[bool](tb, expression); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			tb.t.Fatalf("not within %v: %s\nthe page shows: %s", patience, what, eval[string](tb, `document.body.innerText`))
		}
	}
}

// types sends keys to the element that has the focus.
func (tb *tab) types(keys string) {
	tb.t.Helper()
	tb.acts("typing", func(ctx context.Context) error { return tb.Press(ctx, keys) })
}

// clicks clicks on an element with the mouse.
func (tb *tab) clicks(id string) {
	tb.t.Helper()
	tb.acts("clicking", func(ctx context.Context) error { return tb.Click(ctx, "#"+id) })
}

// says types a text into the message box and sends it.
func (tb *tab) says(text string) {
	tb.t.Helper()
	tb.clicks("say")
	tb.types(text + "\n")
}

// chooses fills the form that ends the connection, and sends it.
func (tb *tab) closes(reason int, message, by string) {
	tb.t.Helper()
	quoted, _ := json.Marshal(message)
	eval[bool](tb, fmt.Sprintf(`($("close-reason").value = "%d", $("close-message").value = %s, true)`, reason, quoted))
	tb.clicks("close-by-" + by)
	tb.clicks("close")
}

// size gives the page a window of another size.
func (tb *tab) size(width, height int64, dark bool) {
	tb.t.Helper()
	tb.do(chromedp.EmulateViewport(width, height))
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(tb.Context(), emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		tb.t.Fatal(err)
	}
}

// screenshot writes a screenshot to the folder screenshots, which git ignores, with a separate
// name for each engine.
func (tb *tab) screenshot(name string) {
	tb.t.Helper()
	if tb.engine != browser.Chromium {
		name = string(tb.engine) + "-" + name
	}
	tb.acts("screenshot "+name, func(ctx context.Context) error {
		picture, err := tb.Screenshot(ctx)
		if err != nil {
			return err
		}
		if err := os.MkdirAll("screenshots", 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join("screenshots", name+".png"), picture, 0o644)
	})
}
