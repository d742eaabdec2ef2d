//go:build !js

package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

// Page is a tab of a [Browser].
type Page struct {
	engine  Engine
	ctx     context.Context // ends when the page is closed or has crashed
	cancel  context.CancelFunc
	tab     tab
	console console

	onReport func(report) // not nil in a page that runs tests
}

// NewPage opens an empty tab that stays open until tb and its subtests have ended. If tb has
// failed, NewPage then prints the page's console. It fails tb if the tab does not open.
func (b *Browser) NewPage(tb testing.TB) *Page {
	tb.Helper()
	page, err := b.open(tb.Context(), nil)
	if err != nil {
		tb.Fatalf("opening a page: %v", err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the page's console:\n%s", page.Console())
		}
		page.close()
	})
	return page
}

// open opens a tab. It calls onReport, if not nil, with the reports of the tests in it, in
// order; onReport must neither block nor call the browser.
func (b *Browser) open(ctx context.Context, onReport func(report)) (*Page, error) {
	page := &Page{engine: b.Engine, onReport: onReport}
	page.ctx, page.cancel = context.WithCancel(context.Background())
	ctx, done := context.WithTimeout(ctx, startTimeout)
	defer done()
	var err error
	if page.tab, err = b.driver.open(ctx, page); err != nil {
		page.cancel()
		return nil, err
	}
	return page, nil
}

func (p *Page) close() {
	ctx, done := context.WithTimeout(context.Background(), stopTimeout)
	defer done()
	_ = p.tab.close(ctx) // the browser ends soon, and reports errors
	p.cancel()
}

// Context returns a context that ends when the page is closed. In Chromium it is the one
// for chromedp's actions on this page. One goroutine at a time may act on a page.
func (p *Page) Context() context.Context { return p.ctx }

// Navigate opens url and returns once the page has loaded.
func (p *Page) Navigate(ctx context.Context, url string) error { return p.tab.navigate(ctx, url) }

// Evaluate evaluates a JavaScript expression in the page and stores the result in value, through
// JSON.
func (p *Page) Evaluate(ctx context.Context, expression string, value any) error {
	text, err := p.tab.evaluate(ctx, "JSON.stringify("+expression+") ?? \"null\"")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), value)
}

// Click scrolls to the first element that a CSS selector matches, and clicks on its middle
// with the mouse.
func (p *Page) Click(ctx context.Context, selector string) error {
	quoted, err := json.Marshal(selector)
	if err != nil {
		return err
	}
	var at []float64
	if err := p.Evaluate(ctx, `((e) => {
		if (e === null) return [];
		e.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
		const box = e.getBoundingClientRect();
		return [box.x + box.width / 2, box.y + box.height / 2];
	})(document.querySelector(`+string(quoted)+`))`, &at); err != nil {
		return err
	}
	if len(at) != 2 {
		return errors.New("browser: the page has no element " + selector)
	}
	return p.tab.click(ctx, at[0], at[1])
}

// Press presses the keys of text one after the other; "\n" is Enter and "\t" Tab.
func (p *Page) Press(ctx context.Context, text string) error { return p.tab.press(ctx, text) }

// Screenshot returns the visible part of the page as PNG.
func (p *Page) Screenshot(ctx context.Context) ([]byte, error) { return p.tab.screenshot(ctx) }

// Console returns the page's console so far: its own messages, those of the browser, such as
// failed requests, and uncaught exceptions, one line each, or "(empty)". It includes all
// messages from before the end of the last action of this page. Workers have consoles of their
// own.
func (p *Page) Console() string { return p.console.String() }

// Exceptions returns the uncaught exceptions in this page, including rejections of promises.
func (p *Page) Exceptions() []string { return p.console.exceptions() }

// reported handles a report of the tests in the page, in the format of assets/page.js.
func (p *Page) reported(text string) {
	if p.onReport == nil {
		return
	}
	var r report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		r = report{Type: reportError, Text: fmt.Sprintf("the page reported %q: %v", text, err)}
	}
	if r.Type == reportConsole {
		p.console.add(r.Level, r.Text)
	}
	p.onReport(r)
}

// crashed handles the crash of the page.
func (p *Page) crashed(why string) {
	p.console.add("crash", why)
	if p.onReport != nil {
		p.onReport(report{Type: reportError, Text: why})
	}
}
