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
	ctx     context.Context // ends when the page is closed, or gone
	cancel  context.CancelFunc
	tab     tab
	console console

	onReport func(report) // not nil in a page that runs tests
}

// NewPage opens an empty tab that stays open until tb and its subtests have ended. When tb
// has failed by then, the page's console is printed. It fails tb when the tab does not
// open.
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

// open opens a tab; onReport, if not nil, gets what the tests in it report, in order, and
// must neither block nor call the browser.
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
	_ = p.tab.close(ctx) // the browser ends soon, and says what is wrong
	p.cancel()
}

// Context returns a context that ends when the page is closed. In Chromium it is the one
// for chromedp's actions on this page. One goroutine at a time may act on a page.
func (p *Page) Context() context.Context { return p.ctx }

// Navigate opens url and returns once the page has loaded.
func (p *Page) Navigate(ctx context.Context, url string) error { return p.tab.navigate(ctx, url) }

// Evaluate stores the value of a JavaScript expression in the page in value, as JSON brings
// it there.
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

// Screenshot returns what is seen of the page, PNG.
func (p *Page) Screenshot(ctx context.Context) ([]byte, error) { return p.tab.screenshot(ctx) }

// Console returns what the page wrote to its console so far, what the browser logged about
// it (a failed request, say), and the exceptions that nothing caught, one line each,
// "(empty)" when there was nothing. What came before an action of this page has returned is
// included. Workers have consoles of their own.
func (p *Page) Console() string { return p.console.String() }

// Exceptions returns the exceptions in this page that nothing caught, promises' rejections
// included.
func (p *Page) Exceptions() []string { return p.console.exceptions() }

// reported is called with each report of the tests in the page, as assets/page.js writes them.
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

// crashed is called when the page can no longer report.
func (p *Page) crashed(why string) {
	p.console.add("crash", why)
	if p.onReport != nil {
		p.onReport(report{Type: reportError, Text: why})
	}
}
