//go:build !js

package browser

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	startTimeout = 60 * time.Second // a cold start on a busy machine with slow disks
	stopTimeout  = 15 * time.Second
)

// Browser is a running headless Chromium with a profile of its own. Its methods may be called from many
// goroutines.
type Browser struct {
	ctx context.Context // chromedp's, of the whole browser
}

// Start starts a headless Chromium that runs until tb and its subtests have ended. It fails tb, with a line that says
// what to do, when there is no Chromium, and with what the browser printed when that does not start.
//
// The browser makes no connection of its own to any network, uses no GPU and no QUIC, does not slow down
// hidden tabs, and runs without its sandbox only when the tests run as root, where it must. More options of chromedp's, such
// as chromedp.Flag, come last and win.
func Start(tb testing.TB, more ...chromedp.ExecAllocatorOption) *Browser {
	tb.Helper()
	path, err := Find(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}

	output := &tail{limit: 16 << 10}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path),
		chromedp.Flag("headless", "new"),
		chromedp.DisableGPU, // chromedp adds no-sandbox by itself for root
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("no-pings", true),
		// Without it timers of tabs that nobody looks at fire once a minute.
		chromedp.Flag("disable-features", "Translate,MediaRouter,OptimizationHints,IntensiveWakeUpThrottling"),
		chromedp.WindowSize(1280, 800),
		chromedp.CombinedOutput(output),
	)
	options = append(options, more...)
	// Not tb.Context(): that one ends before the cleanups, and would kill the browser that they close.
	allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)

	// The context of chromedp's first call is the browser's life, so a timeout of that call must not be its context.
	late := time.AfterFunc(startTimeout, cancel)
	err = chromedp.Do(ctx)
	if !late.Stop() || err != nil {
		cancel()
		free()
		if err == nil {
			err = context.DeadlineExceeded
		}
		tb.Fatalf("starting %s: %v\nthe browser's output:\n%s", path, err, output)
	}

	tb.Cleanup(func() {
		stopping, done := context.WithTimeout(ctx, stopTimeout)
		defer done()
		if err := chromedp.Cancel(stopping); err != nil {
			tb.Logf("closing the browser: %v", err)
		}
		cancel()
		free()
	})
	return &Browser{ctx: ctx}
}

// tail is an io.Writer that keeps the last limit bytes. Safe for concurrent use.
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
