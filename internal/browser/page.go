//go:build !js

package browser

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Page is a tab of a [Browser].
type Page struct {
	ctx     context.Context
	close   context.CancelFunc
	console console
}

// NewPage opens an empty tab that stays open until tb and its subtests have ended. When tb has failed by then, the
// page's console is printed. It fails tb when the tab does not open.
func (b *Browser) NewPage(tb testing.TB) *Page {
	tb.Helper()
	page, err := b.open(nil)
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

// open opens a tab; onEvent, if not nil, sees each of its events, in order, and must neither block nor
// call the browser.
func (b *Browser) open(onEvent func(page *Page, event any)) (*Page, error) {
	page := &Page{}
	page.ctx, page.close = chromedp.NewContext(b.ctx, chromedp.WithListener(func(event any) {
		page.record(event)
		if onEvent != nil {
			onEvent(page, event)
		}
	}))
	if err := chromedp.Do(page.ctx); err != nil {
		page.close()
		return nil, err
	}
	return page, nil
}

// Context returns the context for chromedp's actions on this page; it ends when the page is closed.
// Derive a context with a timeout from it for an action that may hang. One goroutine at a time may run actions
// on a page.
func (p *Page) Context() context.Context { return p.ctx }

// Console returns what the page wrote to its console so far, what the browser logged about it (a failed
// request, say), and the exceptions that nothing caught, one line each, "(empty)" when there was nothing. What came before an action
// of this page has returned is included. Workers have consoles of their own.
func (p *Page) Console() string { return p.console.String() }

// Exceptions returns the exceptions in this page that nothing caught, promises' rejections included.
func (p *Page) Exceptions() []string { return p.console.exceptions() }

func (p *Page) record(event any) {
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		p.console.add(string(event.Type), consoleText(event.Args))
	case *runtime.EventExceptionThrown:
		p.console.add(exceptionKind, exceptionText(event.ExceptionDetails))
	case *log.EventEntryAdded:
		text := event.Entry.Text
		if event.Entry.URL != "" {
			text += " (" + event.Entry.URL + ")"
		}
		p.console.add(string(event.Entry.Level), text)
	case *inspector.EventTargetCrashed:
		p.console.add("crash", "the page crashed")
	}
}
