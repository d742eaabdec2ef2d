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

	"github.com/isosocket/isosocket/internal/browser"
)

// tab is the demo's page in a browser's tab.
type tab struct {
	t *testing.T
	*browser.Page
}

// openTab opens a tab with url. before are done before it is loaded.
func openTab(t *testing.T, b *browser.Browser, url string, before ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	tb := &tab{t, b.NewPage(t)}
	tb.do(before...)
	tb.do(chromedp.Navigate(url))
	return tb
}

// openChat opens a tab with the page of s, and waits until name has joined there.
func openChat(t *testing.T, b *browser.Browser, s *demoServer, name string) *tab {
	t.Helper()
	tb := openTab(t, b, s.page()+"?name="+name)
	tb.waits("joined as "+name, `phase() === "open" && $("name").value === "`+name+`"`)
	return tb
}

func (tb *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		tb.t.Fatal(err)
	}
}

// words is what the expressions of these tests may use.
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
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T]("(() => {"+words+"return ("+expression+")})()"))
	if err != nil {
		tb.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// waits waits until expression is true; what says in words what that means.
func (tb *tab) waits(what, expression string) {
	tb.t.Helper()
	// The page's own polling would need eval, which its content security policy forbids.
	for late := time.Now().Add(patience); !eval[bool](tb, expression); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			tb.t.Fatalf("not so within %v: %s\nthe page says: %s", patience, what, eval[string](tb, `document.body.innerText`))
		}
	}
}

// types sends keys to the element that has the focus.
func (tb *tab) types(keys string) { tb.t.Helper(); tb.do(chromedp.KeyEvent(keys)) }

// clicks clicks on an element with the mouse.
func (tb *tab) clicks(id string) { tb.t.Helper(); tb.do(chromedp.Click(chromedp.CSS("#" + id))) }

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

// screenshot writes a picture of what is seen into the ignored folder screenshots.
func (tb *tab) screenshot(name string) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		if err = os.MkdirAll("screenshots", 0o755); err == nil {
			err = os.WriteFile(filepath.Join("screenshots", name+".png"), picture, 0o644)
		}
	}
	if err != nil {
		tb.t.Errorf("screenshot %s: %v", name, err)
	}
}
