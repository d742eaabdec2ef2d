//go:build !js

package browser

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"
)

const (
	startTimeout = 60 * time.Second // a cold start on a busy machine with slow disks
	stopTimeout  = 15 * time.Second
)

// Browser is a running headless browser with a profile of its own. Its methods may be
// called from many goroutines.
type Browser struct {
	// Engine is the engine of the browser, and Version its version. They do not change.
	Engine  Engine
	Version string

	driver driver
}

// Options configure the start of a browser. Nil means the defaults.
type Options struct {
	// Trust is a self-signed certificate, PEM, that pages trust at TrustAt, HOST:PORT. WebKit's
	// driver trusts every certificate or none: it trusts every one if Trust is set. If Trust is
	// empty, pages only trust the certificates of the system.
	Trust, TrustAt string

	// NoReconnectDelay keeps Firefox from delaying a handshake because an earlier one to the same
	// host and path failed.
	NoReconnectDelay bool
}

// driver runs a browser of one engine; each engine's file has one. Its methods may be
// called from many goroutines.
type driver interface {
	// open opens an empty page. It passes its events to page until close has returned.
	open(ctx context.Context, page *Page) (tab, error)
	// close ends the browser and all processes that were started for it.
	close(ctx context.Context) error
}

// tab is an open page of one engine. One goroutine at a time calls its methods.
type tab interface {
	// navigate opens url, and returns once it has loaded. It does not wait in a page that runs
	// tests, which may be too busy to report that.
	navigate(ctx context.Context, url string) error
	// evaluate returns the value of a JavaScript expression, a string. The page's content
	// security policy has no effect on it.
	evaluate(ctx context.Context, expression string) (string, error)
	// click presses the mouse's first button at a point of the page.
	click(ctx context.Context, x, y float64) error
	// press presses the keys of text one after the other; "\n" is Enter and "\t" Tab.
	press(ctx context.Context, text string) error
	// screenshot returns the visible part of the page as PNG.
	screenshot(ctx context.Context) ([]byte, error)
	close(ctx context.Context) error
}

// StartEngine starts a headless browser that runs until tb and its subtests have ended. If e is
// not installed, it fails tb with a line that says what to do. If the browser does not start, it
// fails tb with the browser's output.
//
// As far as the engine allows, the browser connects to no network by itself, and does not slow
// down pages that are not visible.
func StartEngine(tb testing.TB, e Engine, o *Options) *Browser {
	tb.Helper()
	if o == nil {
		o = &Options{}
	}
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	var d driver
	var version string
	var err error
	switch e {
	case Chromium:
		return startChromium(tb, o)
	case Firefox:
		d, version, err = startFirefox(ctx, o)
	case WebKit:
		d, version, err = startWebKit(ctx, o)
	default:
		tb.Fatalf("browser: %s has no pages; browsers are chromium, firefox and webkit", e.Label())
	}
	if err != nil {
		tb.Fatalf("starting %s: %v", e.Label(), err)
	}
	return newBrowser(tb, e, version, d)
}

func newBrowser(tb testing.TB, e Engine, version string, d driver) *Browser {
	tb.Helper()
	tb.Cleanup(func() {
		stopping, done := context.WithTimeout(context.Background(), stopTimeout)
		defer done()
		if err := d.close(stopping); err != nil {
			tb.Logf("closing %s: %v", e.Label(), err)
		}
	})
	if err := recordRun(e, version); err != nil {
		tb.Error(err)
	}
	return &Browser{Engine: e, Version: version, driver: d}
}

// tail is an io.Writer that keeps the last limit bytes. It is safe for concurrent use.
type tail struct {
	limit int
	mu    sync.Mutex
	kept  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept.Write(p)
	if over := t.kept.Len() - t.limit; over > 0 {
		t.kept.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept.String()
}
