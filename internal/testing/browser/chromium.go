//go:build !js

package browser

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium controls Chromium with the DevTools protocol, through chromedp.
type chromium struct {
	ctx  context.Context // chromedp's, of the whole browser
	free func()
}

// Start starts a headless Chromium as [StartEngine] does. It disables the sandbox only if the
// tests run as root, where Chromium requires that. Chromium uses no GPU and no QUIC. The options
// in more, such as chromedp.Flag, override the others.
func Start(tb testing.TB, more ...chromedp.ExecAllocatorOption) *Browser {
	tb.Helper()
	path, err := Chromium.Find(tb.Context())
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
		// Without it timers of tabs that are not visible fire once a minute.
		chromedp.Flag("disable-features", "Translate,MediaRouter,OptimizationHints,IntensiveWakeUpThrottling"),
		chromedp.WindowSize(1280, 800),
		chromedp.CombinedOutput(output),
	)
	options = append(options, more...)
	// Not tb.Context(): that one ends before the cleanups, and would kill the browser that
	// they close.
	allocator, free := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)

	// The browser lives as long as the context of chromedp's first call, so that context must
	// not have the timeout of the call.
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
	version, err := Chromium.Version(tb.Context())
	if err != nil {
		tb.Error(err)
	}
	return newBrowser(tb, Chromium, version, &chromium{ctx, func() { cancel(); free() }})
}

func startChromium(tb testing.TB, o *Options) *Browser {
	tb.Helper()
	if o.Trust == "" {
		return Start(tb)
	}
	hash, err := publicKeyHash(o.Trust)
	if err != nil {
		tb.Fatal(err)
	}
	return Start(tb, chromedp.Flag("ignore-certificate-errors-spki-list", hash))
}

// publicKeyHash returns the hash by which Chromium names the public key of a certificate.
func publicKeyHash(certificate string) (string, error) {
	parsed, err := parseCertificate(certificate)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}

func parseCertificate(certificate string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return nil, errors.New("browser: Options.Trust is not a certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

func (c *chromium) close(ctx context.Context) error {
	stopping, done := joined(c.ctx, ctx)
	defer done()
	err := chromedp.Cancel(stopping)
	c.free()
	return err
}

// chromiumTab is a target of the DevTools protocol. Its ctx is chromedp's.
type chromiumTab struct {
	ctx    context.Context
	cancel context.CancelFunc
	tests  bool
}

func (c *chromium) open(ctx context.Context, page *Page) (tab, error) {
	t := &chromiumTab{tests: page.onReport != nil}
	t.ctx, t.cancel = chromedp.NewContext(c.ctx, chromedp.WithListener(func(event any) { recordChromium(page, event) }))
	page.ctx = t.ctx
	// The page lives as long as the context of the first call.
	stop := context.AfterFunc(ctx, t.cancel)
	err := chromedp.Do(t.ctx)
	if !stop() || err != nil {
		t.cancel()
		return nil, errors.Join(err, ctx.Err())
	}
	return t, nil
}

// recordChromium passes the events of the page to page.
func recordChromium(page *Page, event any) {
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		page.console.add(string(event.Type), consoleText(event.Args))
	case *runtime.EventExceptionThrown:
		page.console.add(exceptionKind, exceptionText(event.ExceptionDetails))
	case *log.EventEntryAdded:
		text := event.Entry.Text
		if event.Entry.URL != "" {
			text += " (" + event.Entry.URL + ")"
		}
		page.console.add(string(event.Entry.Level), text)
	case *inspector.EventTargetCrashed:
		page.crashed("the page crashed")
	case *runtime.EventBindingCalled:
		if event.Name == binding {
			page.reported(event.Payload)
		}
	}
}

// do runs actions until ctx ends, too.
func (t *chromiumTab) do(ctx context.Context, actions ...chromedp.Action[chromedp.Void]) error {
	actionCtx, done := joined(t.ctx, ctx)
	defer done()
	err := chromedp.Do(actionCtx, actions...)
	if err != nil && ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	return err
}

// joined returns a context with the values of a that ends with either.
func joined(a, b context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(a)
	stop := context.AfterFunc(b, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

func (t *chromiumTab) navigate(ctx context.Context, url string) error {
	if !t.tests {
		return t.do(ctx, chromedp.Navigate(url))
	}
	return t.do(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		// Otherwise the browser reports every frame of every WebSocket, which slows both sides
		// down.
		if _, err := cdp.Call(ctx, target, network.Disable, cdp.Empty{}); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, target, runtime.AddBinding, runtime.AddBindingParams{Name: binding}); err != nil {
			return err
		}
		result, err := cdp.Call(ctx, target, cdppage.Navigate, cdppage.NavigateParams{URL: url})
		if err != nil {
			return err
		}
		if result.ErrorText != "" {
			return fmt.Errorf("opening %s: %s", url, result.ErrorText)
		}
		return nil
	}))
}

func (t *chromiumTab) evaluate(ctx context.Context, expression string) (string, error) {
	actionCtx, done := joined(t.ctx, ctx)
	defer done()
	return chromedp.Run(actionCtx, chromedp.Evaluate[string](expression))
}

func (t *chromiumTab) click(ctx context.Context, x, y float64) error {
	return t.do(ctx, chromedp.MouseClickXY(x, y))
}

func (t *chromiumTab) press(ctx context.Context, text string) error {
	return t.do(ctx, chromedp.KeyEvent(text))
}

func (t *chromiumTab) screenshot(ctx context.Context) ([]byte, error) {
	actionCtx, done := joined(t.ctx, ctx)
	defer done()
	return chromedp.Run(actionCtx, chromedp.CaptureScreenshot())
}

func (t *chromiumTab) close(context.Context) error {
	t.cancel()
	return nil
}
