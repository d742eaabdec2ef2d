//go:build !js

package browser

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// firefoxPreferences are set in the profile of every Firefox. Firefox uses no network except
// that of the tests, and does not slow down pages that are not visible.
var firefoxPreferences = map[string]any{
	"app.normandy.enabled":                                       false,
	"app.update.disabledForTesting":                              true,
	"browser.safebrowsing.malware.enabled":                       false,
	"browser.safebrowsing.phishing.enabled":                      false,
	"browser.search.update":                                      false,
	"browser.shell.checkDefaultBrowser":                          false,
	"browser.startup.homepage_override.mstone":                   "ignore",
	"browser.startup.page":                                       0,
	"datareporting.policy.dataSubmissionEnabled":                 false,
	"dom.disable_beforeunload":                                   true,
	"dom.max_script_run_time":                                    0,
	"dom.min_background_timeout_value":                           4,
	"dom.min_background_timeout_value_without_budget_throttling": 4,
	"dom.timeout.enable_budget_timer_throttling":                 false,
	"dom.timeout.background_throttling_max_budget":               -1,
	"extensions.update.enabled":                                  false,
	"extensions.systemAddon.update.enabled":                      false,
	"media.gmp-manager.updateEnabled":                            false,
	"network.captive-portal-service.enabled":                     false,
	"network.connectivity-service.enabled":                       false,
	"network.manage-offline-status":                              false,
	"services.settings.server":                                   "http://127.0.0.1:9/", // refuses connections
	"remote.active-protocols":                                    1,                     // BiDi
	"toolkit.startup.max_resumed_crashes":                        -1,
	"toolkit.telemetry.reportingpolicy.firstRun":                 false,
	// A service worker that runs tests gets no events from its page meanwhile.
	"dom.serviceWorkers.idle_timeout":          600_000,
	"dom.serviceWorkers.idle_extended_timeout": 600_000,
}

// firefox controls Firefox with WebDriver BiDi.
type firefox struct {
	session *bidi
	cmd     *exec.Cmd
	exited  <-chan struct{} // closed once the program has ended, and its output has been read
	output  *tail
	profile string

	mu    sync.Mutex
	pages map[string]*Page // by browsing context
}

func startFirefox(ctx context.Context, o *Options) (_ driver, version string, err error) {
	path, err := Firefox.Find(ctx)
	if err != nil {
		return nil, "", err
	}
	f := &firefox{output: &tail{limit: 16 << 10}, pages: make(map[string]*Page)}
	if f.profile, err = firefoxProfile(o); err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			f.end()
			err = fmt.Errorf("%w\nthe browser's output:\n%s", err, f.output)
		}
	}()
	f.cmd = exec.Command(path, "--headless", "--no-remote", "--profile", f.profile, "--remote-debugging-port=0", "--width=1280", "--height=800", "about:blank")
	f.cmd.Env = append(os.Environ(), "MOZ_CRASHREPORTER_DISABLE=1", "HOME="+f.profile)
	output, err := f.cmd.StderrPipe()
	if err != nil {
		return nil, "", err
	}
	f.cmd.Stdout = f.output
	if err := f.cmd.Start(); err != nil {
		f.cmd = nil
		return nil, "", err
	}
	address := make(chan string, 1)
	exited := make(chan struct{})
	f.exited = exited
	go func() {
		defer close(exited)
		lines := bufio.NewScanner(io.TeeReader(output, f.output))
		for lines.Scan() {
			if _, url, ok := strings.Cut(lines.Text(), "WebDriver BiDi listening on "); ok {
				address <- url
			}
		}
		_, _ = io.Copy(f.output, output) // a line that is too long
		_ = f.cmd.Wait()
	}()

	var url string
	select {
	case url = <-address:
	case <-exited:
		return nil, "", errors.New("it ended at once")
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	if f.session, err = dialBiDi(ctx, url+"/session", f.event); err != nil {
		return nil, "", err
	}
	var session struct {
		Capabilities struct{ BrowserVersion string }
	}
	if err := f.session.call(ctx, "session.new", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{"unhandledPromptBehavior": map[string]any{"default": "dismiss"}}}}, &session); err != nil {
		return nil, "", err
	}
	events := []string{"log.entryAdded", "script.message", "browsingContext.contextDestroyed"}
	if err := f.session.call(ctx, "session.subscribe", map[string]any{"events": events}, nil); err != nil {
		return nil, "", err
	}
	return f, session.Capabilities.BrowserVersion, nil
}

// firefoxProfile makes a profile, in a directory of its own.
func firefoxProfile(o *Options) (string, error) {
	dir, err := os.MkdirTemp("", "firefox-profile-")
	if err != nil {
		return "", err
	}
	var preferences strings.Builder
	for name, value := range firefoxPreferences {
		text, _ := json.Marshal(value)
		fmt.Fprintf(&preferences, "user_pref(%q, %s);\n", name, text)
	}
	if o.NoReconnectDelay {
		preferences.WriteString("user_pref(\"network.websocket.delay-failed-reconnects\", false);\n")
	}
	err = os.WriteFile(filepath.Join(dir, "user.js"), []byte(preferences.String()), 0o600)
	if err == nil && o.Trust != "" {
		err = overrideCertificate(dir, o)
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
}

// overrideCertificate writes the file in which Firefox stores exceptions for certificates: the
// address, the hash function, and the hash of the certificate.
func overrideCertificate(profile string, o *Options) error {
	certificate, err := parseCertificate(o.Trust)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(certificate.Raw)
	hex := strings.ToUpper(strings.Trim(strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":"), ":"))
	const sha256OID = "OID.2.16.840.1.101.3.4.2.1"
	line := o.TrustAt + ":\t" + sha256OID + "\t" + hex + "\t\n"
	return os.WriteFile(filepath.Join(profile, "cert_override.txt"), []byte(line), 0o600)
}

// event handles the events of the session.
func (f *firefox) event(method string, params json.RawMessage) {
	var event struct {
		Context string // of contextDestroyed
		Source  struct{ Context string }
		Type    string
		Method  string
		Level   string
		Text    string
		Channel string
		Data    struct{ Value string }

		StackTrace struct{ CallFrames []json.RawMessage }
	}
	if json.Unmarshal(params, &event) != nil {
		return
	}
	f.mu.Lock()
	page := f.pages[event.Source.Context+event.Context]
	f.mu.Unlock()
	switch {
	case page == nil:
	case method == "script.message" && event.Channel == binding:
		page.reported(event.Data.Value)
	case method == "browsingContext.contextDestroyed":
		page.crashed("the browser closed the page")
		page.cancel()
	// Firefox's own errors, such as a connection that failed, have this type, too.
	case method == "log.entryAdded" && event.Type == "javascript" && event.Level == "error" && len(event.StackTrace.CallFrames) > 0:
		page.console.add(exceptionKind, event.Text)
	case method == "log.entryAdded" && event.Method != "":
		page.console.add(event.Method, event.Text)
	case method == "log.entryAdded":
		page.console.add(event.Level, event.Text)
	}
}

func (f *firefox) close(ctx context.Context) error {
	err := f.session.call(ctx, "browser.close", map[string]any{}, nil)
	if err == nil {
		select {
		case <-f.exited:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	f.end()
	return err
}

// end ends the running processes, and removes the profile.
func (f *firefox) end() {
	if f.cmd != nil {
		_ = f.cmd.Process.Kill()
		<-f.exited
	}
	if f.session != nil {
		f.session.close()
	}
	_ = os.RemoveAll(f.profile)
}

// firefoxTab is a browsing context.
type firefoxTab struct {
	f       *firefox
	context string
	tests   bool
}

func (f *firefox) open(ctx context.Context, page *Page) (tab, error) {
	var created struct{ Context string }
	if err := f.session.call(ctx, "browsingContext.create", map[string]any{"type": "tab", "background": false}, &created); err != nil {
		return nil, err
	}
	t := &firefoxTab{f: f, context: created.Context, tests: page.onReport != nil}
	f.mu.Lock()
	f.pages[t.context] = page
	f.mu.Unlock()
	var err error
	if t.tests {
		err = f.session.call(ctx, "script.addPreloadScript", map[string]any{
			"functionDeclaration": "(report) => { globalThis." + binding + " = report; }",
			"arguments":           []any{map[string]any{"type": "channel", "value": map[string]any{"channel": binding}}},
			"contexts":            []string{t.context},
		}, nil)
	} else {
		err = f.session.call(ctx, "browsingContext.setViewport", map[string]any{"context": t.context, "viewport": map[string]any{"width": 1280, "height": 800}}, nil)
	}
	if err != nil {
		_ = t.close(ctx)
		return nil, err
	}
	return t, nil
}

func (t *firefoxTab) navigate(ctx context.Context, url string) error {
	wait := "complete"
	if t.tests {
		wait = "none"
	}
	return t.f.session.call(ctx, "browsingContext.navigate", map[string]any{"context": t.context, "url": url, "wait": wait}, nil)
}

func (t *firefoxTab) evaluate(ctx context.Context, expression string) (string, error) {
	var answer struct {
		Type             string
		Result           struct{ Type, Value string }
		ExceptionDetails struct{ Text string }
	}
	err := t.f.session.call(ctx, "script.evaluate", map[string]any{
		"expression": expression, "target": map[string]any{"context": t.context}, "awaitPromise": true,
	}, &answer)
	switch {
	case err != nil:
		return "", err
	case answer.Type != "success":
		return "", errors.New(answer.ExceptionDetails.Text)
	case answer.Result.Type != "string":
		return "", errors.New("the value is not a string: " + answer.Result.Type)
	}
	return answer.Result.Value, nil
}

func (t *firefoxTab) click(ctx context.Context, x, y float64) error {
	return t.perform(ctx, pointerActions(x, y))
}

func (t *firefoxTab) press(ctx context.Context, text string) error {
	return t.perform(ctx, keyActions(text))
}

func (t *firefoxTab) perform(ctx context.Context, actions []any) error {
	return t.f.session.call(ctx, "input.performActions", map[string]any{"context": t.context, "actions": actions}, nil)
}

func (t *firefoxTab) screenshot(ctx context.Context) ([]byte, error) {
	var picture struct{ Data string }
	if err := t.f.session.call(ctx, "browsingContext.captureScreenshot", map[string]any{"context": t.context}, &picture); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(picture.Data)
}

func (t *firefoxTab) close(ctx context.Context) error {
	t.f.mu.Lock()
	delete(t.f.pages, t.context)
	t.f.mu.Unlock()
	return t.f.session.call(ctx, "browsingContext.close", map[string]any{"context": t.context}, nil)
}

// pointerActions and keyActions return actions for both WebDriver protocols: a click of the
// mouse, and keys one by one.
func pointerActions(x, y float64) []any {
	return []any{map[string]any{"type": "pointer", "id": "mouse", "parameters": map[string]any{"pointerType": "mouse"}, "actions": []any{
		map[string]any{"type": "pointerMove", "x": int(x), "y": int(y), "duration": 0},
		map[string]any{"type": "pointerDown", "button": 0},
		map[string]any{"type": "pointerUp", "button": 0},
	}}}
}

func keyActions(text string) []any {
	var keys []any
	for _, r := range text {
		key := string(r)
		switch r {
		case '\n':
			key = "\uE007"
		case '\t':
			key = "\uE004"
		}
		keys = append(keys, map[string]any{"type": "keyDown", "value": key}, map[string]any{"type": "keyUp", "value": key})
	}
	return []any{map[string]any{"type": "key", "id": "keyboard", "actions": keys}}
}
